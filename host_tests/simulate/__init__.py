"""`petrel simulate`: its devices without a network, and all of it at a broker."""
