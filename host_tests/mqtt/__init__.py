"""lib/mqtt: packets, the session, the client, each against something that is not of its making."""
