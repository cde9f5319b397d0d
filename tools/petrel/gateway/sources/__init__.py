"""Where messages come from, one kind a file.

A source hands each message to the writer and tells its sender that it has arrived once the writer
says that it is on disk.
"""
