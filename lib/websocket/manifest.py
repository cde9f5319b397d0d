"""Freezes websocket into an image of MicroPython. Made by petrel.packages."""
metadata(description="A WebSocket client (RFC 6455), in layers; each can be used without those above it.", version="0.1.0")
module("tcp.py", base_path="..")
module("tcp_opening.py", base_path="..")
module("tcp_words.py", base_path="..")
module("ticks.py", base_path="..")
package("websocket", base_path="..", files=(
    "__init__.py",
    "_fast.py",
    "_plain.py",
    "engine.py",
    "errors.py",
    "frames.py",
    "handshake.py",
    "messages.py",
    "stream.py",
    "utf8.py",
))
