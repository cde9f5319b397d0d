"""Freezes mqtt into an image of MicroPython. Made by petrel.packages."""
metadata(description="MQTT 3.1.1 and 5.0 for MicroPython: a client that neither hangs nor loses.", version="0.1.0")
module("backoff.py", base_path="..")
package("mqtt", base_path="..", files=(
    "__init__.py",
    "again.py",
    "client.py",
    "errors.py",
    "filters.py",
    "five.py",
    "flight.py",
    "inbound.py",
    "inbox.py",
    "life.py",
    "opening.py",
    "packet.py",
    "properties.py",
    "resume.py",
    "session.py",
    "simple.py",
    "utf8.py",
))
module("tcp.py", base_path="..")
module("tcp_opening.py", base_path="..")
module("tcp_words.py", base_path="..")
module("ticks.py", base_path="..")
