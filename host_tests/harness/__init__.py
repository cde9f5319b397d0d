"""What tests drive: a device as a process, a receiver behind the broker, certificates, data."""
