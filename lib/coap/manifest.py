"""Freezes coap into an image of MicroPython. Made by petrel.packages."""
metadata(description="CoAP (RFC 7252) for MicroPython: client and server, in engines without I/O and thin edges.", version="0.1.0")
package("coap", base_path="..", files=(
    "__init__.py",
    "blockwise.py",
    "client.py",
    "dtls.py",
    "dtls_connection.py",
    "dtls_contexts.py",
    "dtls_server.py",
    "dtls_sessions.py",
    "dtls_socket.py",
    "dtls_wire.py",
    "endpoint.py",
    "exchange.py",
    "group.py",
    "message.py",
    "multicast.py",
    "numbers.py",
    "observation.py",
    "observe.py",
    "params.py",
    "proof.py",
    "reliable_socket.py",
    "rtt.py",
    "server.py",
    "serving.py",
    "transfer.py",
    "uri.py",
    "wellknown.py",
))
module("ticks.py", base_path="..")
module("udp.py", base_path="..")
module("wake.py", base_path="..")
