"""The air around a stand-in board: access points, DHCP, name server, NTP. On MicroPython.

A station goes through these phases, the durations divided by `haste`:

    IDLE -> SCANNING -> JOINING -> ADDRESS -> UP -> FADING -> FAILED
               |           |          '- for ever, where DHCP never answers
               '- nonet    '- badauth         '- the point is off, or back on another channel

`script` is [(ms, function)], carried out when its time has come; `points`, `names` and `ntp` may
be changed by it and by tests.
"""

from host_tests.boards import world

IDLE, SCANNING, JOINING, ADDRESS, UP, FADING, FAILED = range(7)

haste = 1
SCAN_MS = 2400  # all channels, 120 to 200 ms each
JOIN_MS = 300
HANDSHAKE_MS = 3500  # until a wrong password is found out
ADDRESS_MS = 900
BEACON_MS = 6000  # ESP-IDF's default time without a beacon, CONFIG_ESP_WIFI_... inactive time
RESOLVE_MS = 14_000  # lwIP asks four times (DNS_MAX_RETRIES), waiting longer each time

script = []
points = []
names = {}  # host name -> address; others are the host's own business
ntp = {}  # server -> seconds that it is wrong by, or None if it does not answer


class Point:
    """An access point. `dhcp` False: it never gives an address."""

    def __init__(self, ssid, password="", rssi=-60, channel=1, bssid=None, dhcp=True, up=True):
        self.ssid, self.password, self.rssi = ssid, password, rssi
        self.channel, self.dhcp, self.up = channel, dhcp, up
        self.bssid = bssid or ("ap" + ssid + "______")[:6].encode()


class _Driver:
    """What `network.WLAN` keeps of it (modules/network.py)."""

    active, reconnects, told, pm, scans = False, -1, None, None, 0


class Station:
    """What one board's radio is about. `look()` brings it up to now."""

    def __init__(self):
        self.phase = IDLE
        self.why = None  # of FAILED: "nonet", "badauth", "gone", "left"
        self.point = None
        self.session = 0  # rises with every change of the address
        self.retries = 0  # how often it tries again by itself; -1: for ever
        self.joins = []  # the ssids that it was told to join
        self.driver = _Driver()
        self._left = 0
        self._wanted = None  # ssid, password, bssid
        self._until = 0
        self._channel = 0
        self._address = None

    def join(self, ssid, password, bssid=None):
        self.look()
        self.joins.append(ssid)
        self._wanted = (ssid, password or "", bssid)
        self._left = self.retries
        self._enter(SCANNING, SCAN_MS)

    def leave(self):
        self.look()
        if self.phase not in (IDLE, FAILED):
            self.phase, self.why = IDLE, "left"
        self._wanted = None

    def look(self):
        now = world.now()
        while script and script[0][0] <= now:
            script.pop(0)[1]()
        while self._step(now):
            pass
        return self.phase

    def carries(self):
        """Does a packet get through now?"""
        return self.look() == UP and self._there()

    def has_address(self):
        return self.look() in (UP, FADING)

    def _enter(self, phase, ms=0):
        self.phase = phase
        self._until = world.now() + ms // haste
        return True

    def _fail(self, why):
        self.phase, self.why, self.point = FAILED, why, None
        if self._wanted and self._left:
            self._left -= 1
            self._enter(SCANNING, SCAN_MS)
        return True

    def _there(self):
        return self.point.up and self.point.channel == self._channel

    def _step(self, now):
        """Take one step if its time has come."""
        if self.phase == UP and not self._there():
            return self._enter(FADING, BEACON_MS)
        if self.phase == FADING and self._there():
            return self._enter(UP)
        if now < self._until or self.phase in (IDLE, UP, FAILED):
            return False
        if self.phase == SCANNING:
            return self._scanned()
        if self.phase == FADING:
            return self._fail("gone")
        if not self._there():
            return self._fail("nonet" if self.phase == JOINING else "gone")
        if self.phase == JOINING:
            right = self.point.password == self._wanted[1]
            return self._enter(ADDRESS, ADDRESS_MS) if right else self._fail("badauth")
        if not self.point.dhcp:
            return False
        if self._address != self.point.bssid:
            self._address = self.point.bssid
            self.session += 1
        return self._enter(UP)

    def _scanned(self):
        ssid, password, bssid = self._wanted
        found = [p for p in points if p.up and p.ssid == ssid and bssid in (None, p.bssid)]
        if not found:
            return self._fail("nonet")
        self.point = max(found, key=lambda point: point.rssi)
        self._channel = self.point.channel
        right = self.point.password == password
        return self._enter(JOINING, JOIN_MS if right else HANDSHAKE_MS)


station = Station()


def reset():
    """A board without power, in an air without access points."""
    global station
    station = Station()
    script.clear()
    points.clear()
    names.clear()
    ntp.clear()


def true_ms():
    """Unix ms as NTP servers have it."""
    import utime

    return utime.time_ns() // 1_000_000
