"""`petrel flash` against a stand-in board on a pseudo-terminal."""
