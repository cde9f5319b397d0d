"""WiFi: several access points, the strongest first, and why each would not have us.

    DOWN --- up() ---> JOINING(network) ---> UP
     ^                  |  ^     |            |
     |     all refused  |  '-----'            | the driver says so
     '------------------'  next network       |
     '----------------------------------------'

`up()` is one round over the networks that are configured, of 35 s at the most; the next one goes
on where its time did not suffice. When to try again is its caller's affair. With a single network
nothing is scanned, because a scan stops everything else for two to three seconds.
"""

# pyright: reportAttributeAccessIssue=true

import asyncio
import time

from micropython import const

from ..log import log

_JOIN_MS = const(15_000)  # association, handshake and DHCP
_ROUND_MS = const(20_000)  # after so long no further network is begun
_SETTLE_MS = const(5_000)  # as long a status may be that of the attempt before
_SCAN_MS = const(3_000)  # what a scan blocks
_LOOK_MS = const(100)


class WiFi:
    """`networks` is the config's list; `quiet(ms)` returns when blocking for so long hurts least.

    `wlan`, and `state` from a driver's status to words, are the port's.
    """

    def __init__(self, board, networks, country, quiet):
        self._board = board
        self._networks = [network for network in networks if network["ssid"]]
        self._country = country
        self._quiet = quiet
        self._lock = asyncio.Lock()
        self._refused = ""  # what the last round ended with
        self._next = 0  # where a round goes on that its time did not suffice for
        self.wlan = None
        self.status = 0  # of the last failure, in the driver's numbers
        self.joins = 0

    def is_up(self):
        return self.wlan is not None and self.wlan.isconnected()

    async def up(self):
        """Return once there is a network; OSError, with a reason for each, after a round. Who
        comes while one is under way shares its outcome.
        """
        shared = self._lock.locked()
        async with self._lock:
            if self.is_up():
                return
            if not self._networks:
                raise OSError("the config names no network; give `wifi`")
            if shared and self._refused:
                raise OSError(self._refused)
            if self.wlan is None:
                self.wlan = self._board.wlan(self._country)
            await self._round()

    async def _round(self):
        wlan = self.wlan
        wlan.config(pm=wlan.PM_NONE)  # power saving loses the packets of a handshake
        try:
            order = await self._order()
            start = time.ticks_ms()
            why = []
            for _ in range(len(order)):
                network = order[self._next % len(order)]
                problem = await self._join(network["ssid"], network["password"])
                if not problem:
                    self._next = 0
                    self._refused = ""
                    self.joins += 1
                    log("wifi", "in %s, %s" % (network["ssid"], wlan.ifconfig()[0]))
                    return
                why.append("%s: %s" % (network["ssid"], problem))
                self._next += 1
                if time.ticks_diff(time.ticks_ms(), start) >= _ROUND_MS:
                    break
            self._refused = "; ".join(why)
            raise OSError(self._refused)
        finally:
            wlan.config(pm=wlan.PM_PERFORMANCE)

    async def _order(self):
        """Networks by signal; those that no scan shows, hidden or away, come last."""
        if len(self._networks) == 1:
            return self._networks
        await self._quiet(_SCAN_MS)
        signals = {}
        for found in self.wlan.scan():
            ssid = found[0]
            signals[ssid] = max(found[3], signals.get(ssid, -200))
        order = []  # inserted one by one: `sorted` is not stable here
        for network in self._networks:
            signal = signals.get(network["ssid"].encode(), -200)
            at = 0
            while at < len(order) and order[at][0] >= signal:
                at += 1
            order.insert(at, (signal, network))
        return [network for _, network in order]

    async def _join(self, ssid, password):
        """Return None once there is an address, or why there is none."""
        wlan = self.wlan
        wlan.disconnect()  # `connect` during an attempt is an error (ESP-IDF: esp_wifi_connect)
        await asyncio.sleep_ms(_LOOK_MS)
        _, before, _ = self._board.wifi_state(wlan)
        start = time.ticks_ms()
        try:
            wlan.connect(ssid, password or None)
        except OSError as error:
            return str(error)
        while True:
            await asyncio.sleep_ms(_LOOK_MS)
            if wlan.isconnected():
                return None
            trying, status, why = self._board.wifi_state(wlan)
            took = time.ticks_diff(time.ticks_ms(), start)
            # Until it has settled a status may still be that of the attempt before.
            if took >= _JOIN_MS or not (trying or (status == before and took < _SETTLE_MS)):
                break
        self.status = status
        wlan.disconnect()
        return why or "no answer within %d s" % (_JOIN_MS // 1000)
