"""`petrel gateway`: from devices to the systems that people have, without losing a reading.

One concern a file; see docs/gateway.md. Cores without I/O: `message`, `intake`, `pace`, `config`.
What touches disk: `spool`, `writer`. What puts it together: `service`.
"""
