"""A WebSocket client (RFC 6455), in layers; each can be used without those above it.

    messages.py   messages for asyncio
    stream.py     a stream of bytes for asyncio, as over TCP
    engine.py     one connection: handshake, messages, ping and pong, close
    handshake.py  the HTTP request and the answer to it
    frames.py     frames and masking, for clients and servers

The first two do I/O, through `tcp.py`; those below also run on CPython.

The name hides MicroPython's built-in module `websocket`, which its WebREPL uses: on a board that
runs the WebREPL install this library under another name.
"""
