"""A link over a board's own network: WiFi is brought up before a connection is made, and the
network (`firmware/board/network.py`) hears how each one fares.
"""

from . import LinkError


class Link:
    """Any other link, `link`, with the same interface."""

    def __init__(self, link, network):
        self.window = link.window
        self.send = link.send
        self.close = link.close
        self._link = link
        self._network = network

    @property
    def owed(self):
        return self._link.owed

    async def open(self):
        """The stage "wifi" is an access point that would not have us."""
        self._network.told("connecting")
        try:
            await self._network.up()
            await self._link.open()
        except LinkError as error:
            self._network.told(error.stage)
            raise
        except OSError as error:
            self._network.told("wifi")
            raise LinkError("wifi", str(error))
        self._network.told("online")

    async def run(self):
        try:
            await self._link.run()
        except LinkError as error:
            self._network.told(error.stage)
            raise
