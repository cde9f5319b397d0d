"""`network.WLAN` of both ports.

ESP32: ports/esp32/network_wlan.c. `status()` goes on telling the last failure while a new attempt
is under way, because only an address clears it; a `connect` during an attempt is an error; by
itself the driver tries again for ever, unless `reconnects` says how often.

RP2: extmod/network_cyw43.c and cyw43_ctrl.c of the cyw43-driver. A wrong password ends as
BADAUTH, or as DOWN where the access point's deauthentication arrives first; a network that is
gone looks like one that is being joined (JOIN), for ever.
"""

from host_tests.boards import air, world

_ESP32 = world.port == "esp32"
# (ESP32, RP2)
_STATUS = {
    "idle": (1000, 0), "connecting": (1001, 1), "no address": (1001, 2), "up": (1010, 3),
    "fail": (203, -1), "nonet": (201, -2), "badauth": (202, -3), "gone": (200, 1),
}
STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD, STAT_CONNECT_FAIL = 201, 202, 203
if _ESP32:
    STAT_BEACON_TIMEOUT, STAT_HANDSHAKE_TIMEOUT = 200, 204
    STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY = 210
    STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD = 211
    STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD = 212
else:
    STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 0, 1, 3
    STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD, STAT_CONNECT_FAIL = -2, -3, -1

_hostname = "mpy-" + world.port


def _code(name):
    return _STATUS[name][0 if _ESP32 else 1]


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    _hostname = name
    return None


def country(code=None):
    pass


class WLAN:
    """A singleton in both ports: each call gives the same object."""

    IF_STA, IF_AP = 0, 1
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = (0, 1, 2) if _ESP32 else (0xA11140, 0xA11142, 0xA11141)

    def __new__(cls, interface=0):
        return _wlans[interface]

    def active(self, on=None):
        if on is not None:
            air.station.driver.active = bool(on)
            if not on:
                air.station.leave()
        return air.station.driver.active

    if not _ESP32:

        def deinit(self):  # extmod/network_cyw43.c: the radio's power is off
            self.active(False)

    def connect(self, ssid=None, key=None, *, bssid=None):
        self._must_be_active()
        busy = air.station.look() not in (air.IDLE, air.FAILED)
        if _ESP32 and busy:
            raise OSError("Wifi Internal Error")  # ESP_ERR_WIFI_CONN
        if ssid is not None and len(ssid.encode()) > 32:
            raise OSError("Wifi SSID Invalid")
        air.station.retries = air.station.driver.reconnects if _ESP32 else 0
        air.station.join(ssid, key, bssid)

    def disconnect(self):
        self._must_be_active()
        was = air.station.look()
        air.station.leave()
        if was not in (air.IDLE, air.FAILED):
            air.station.driver.told = None  # WIFI_REASON_ASSOC_LEAVE

    def isconnected(self):
        return air.station.has_address()

    def status(self, what=None):
        phase = air.station.look()
        if what == "rssi":
            if phase not in (air.ADDRESS, air.UP, air.FADING):  # esp_wifi_sta_get_ap_info
                raise OSError("Wifi Not Connected")
            return air.station.point.rssi
        if what is not None:
            raise ValueError("unknown status param")
        if phase in (air.UP, air.FADING):
            air.station.driver.told = None
            return _code("up")
        if phase == air.FAILED:
            air.station.driver.told = air.station.why
        if phase == air.FAILED or (_ESP32 and air.station.driver.told):
            return _code(air.station.driver.told)
        if phase == air.ADDRESS:
            return _code("no address")
        return _code("idle" if phase == air.IDLE else "connecting")

    def scan(self):
        if not air.station.driver.active:
            raise OSError("STA must be active")
        air.station.driver.scans += 1
        world.sleep(air.SCAN_MS // air.haste)
        found = [p for p in air.points if p.up]
        return [(p.ssid.encode(), p.bssid, p.channel, p.rssi, 3, False) for p in found]

    def config(self, *names, **values):
        if names:
            known = {"mac": world.unique_id[-6:], "pm": air.station.driver.pm, "channel": 1}
            return known[names[0]]
        for name, value in values.items():
            if name == "pm":
                air.station.driver.pm = value
            elif name == "reconnects" and _ESP32:
                air.station.driver.reconnects = value
            elif name not in ("hostname", "txpower", "channel"):
                raise ValueError("unknown config param")
        return None

    def ifconfig(self):
        up = self.isconnected()
        return ("192.168.4.2" if up else "0.0.0.0", "255.255.255.0", "192.168.4.1", "192.168.4.1")

    def ipconfig(self, name):
        return self.ifconfig()[:2]

    def _must_be_active(self):
        if not air.station.driver.active and _ESP32:
            raise OSError("Wifi Not Started")


_wlans = [object.__new__(WLAN) for _ in range(2)]
