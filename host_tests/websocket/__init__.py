"""Tests of lib/websocket: frames, engine, handshake, and real peers."""
