"""Freezes mqtt into an image of MicroPython. Made by petrel.packages."""
metadata(description="MQTT 3.1.1 and 5.0 for MicroPython: a client that neither hangs nor loses.", version="0.1.0")
package("mqtt", base_path="..", files=(
    "__init__.py",
    "client.py",
))
module("tcp.py", base_path="..")
module("ticks.py", base_path="..")
