"""Fault injectors: they break a connection on command, at a place that the test names."""
