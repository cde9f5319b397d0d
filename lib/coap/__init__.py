"""CoAP (RFC 7252) for MicroPython: client and server, in engines without I/O and thin edges.

    from coap.client import Client         # requests
    from coap.server import Server         # resources
    from coap.message import Message       # what both speak

This file imports nothing, so that a board that only asks never loads what serves.
"""
