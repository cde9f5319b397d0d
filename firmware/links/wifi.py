"""A link over a board's own network: WiFi is brought up before a connection is made, and the
network (`firmware/board/network.py`) hears how each one fares.
"""

from . import LinkError


class Link:
    """Any other link, `link`: all but its connection is that one's own."""

    def __init__(self, link, network):
        self._link = link
        self._network = network

    def __getattr__(self, name):
        return getattr(self._link, name)

    async def open(self):
        """The stage "wifi" is an access point that would not have us."""
        self._network.told("connecting")
        try:
            await self._network.up()
        except OSError as error:
            self._network.told("wifi")
            raise LinkError("wifi", str(error))
        try:
            await self._link.open()
        except LinkError as error:
            self._network.told(error.stage)
            raise
        self._network.told("online")

    async def run(self):
        try:
            await self._link.run()
        except LinkError as error:
            self._network.told(error.stage)
            raise
