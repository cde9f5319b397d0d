"""Where messages go, one kind a file; `petrel.gateway.feed` says what a sink offers."""
