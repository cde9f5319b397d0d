"""A WebSocket client (RFC 6455), in layers; each can be used without those above it.

    stream.py     connections for asyncio: messages, or bytes as over TCP    (the only I/O)
    engine.py     one connection: handshake, messages, ping and pong, close
    handshake.py  the HTTP request and the answer to it
    frames.py     frames and masking, for clients and servers

`from websocket.stream import connect` is all that most programs need. The layers below `stream`
also run on CPython.

The name hides MicroPython's built-in module `websocket`, which its WebREPL uses: on a board that
runs the WebREPL install this library under another name.
"""
