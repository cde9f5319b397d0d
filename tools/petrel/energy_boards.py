"""Times and currents of boards, each with its source, for `petrel energy`."""

from petrel.energy import Cycle, Phase

_EXPERIMENTS = "github.com/glenn20/upy-esp32-experiments (MicroPython, charge measured)"
_DATA_SHEET = "ESP32 data sheet, table of current by power mode"
_LIGHTSLEEP = "MicroPython commit b004e7e, lightsleep on a Pico"
_GUESS = "no published figure at hand"
_AS_ESP32 = "as long as an ESP32"

AWAKE_MA = {  # (computing, with the radio on)
    "esp32": ((67.4, "published", _EXPERIMENTS), (140.3, "published", _EXPERIMENTS)),
    "rp2": ((25.0, "assumed", _GUESS), (80.0, "assumed", _GUESS)),
}
SLEEP_MA = {
    "esp32": (0.010, "published", _DATA_SHEET + "; the chip alone"),
    "rp2": (1.5, "published", _LIGHTSLEEP),
}
NAMES = {"esp32": "ESP32", "rp2": "Pico W"}
SLOWER = {"esp32": (20, "assumed"), "rp2": (26, "assumed; 19.8 s to 15.4 s, scruss.com")}
"""How much longer than this computer a board takes to run the same code."""


def published(port, listen_ms, measured):
    """The Cycle of a board from what is published; what is not, from {phase: ms} measured on this
    computer, as much longer as the board is slower.
    """
    (cpu_ma, *_), (radio_ma, _, source) = AWAKE_MA[port]
    factor, about = SLOWER[port]
    phases = _times(port, cpu_ma, radio_ma)
    scaled = f"on this computer, x {factor} ({about})"
    for name in ("sample", "store", "prepare", "end"):
        ma = cpu_ma if name in ("sample", "store") else radio_ma
        phases[name] = Phase(measured.get(name, 0) * factor, ma, "measured", scaled)
    phases["listen"] = Phase(listen_ms, radio_ma, "config", f"sleep.listen_s; current: {source}")
    return Cycle(phases, SLEEP_MA[port][0])


def _times(port, cpu_ma, radio_ma):
    if port == "esp32":
        return {
            "boot": Phase(70, 3.32 / 0.070, "published", _EXPERIMENTS),
            "start": Phase(350, 23.6 / 0.350, "published", _EXPERIMENTS),
            "join": Phase(1626, 204.3 / 1.626, "published", _EXPERIMENTS + ", DHCP"),
            "deliver": Phase(774, 108.6 / 0.774, "published", _EXPERIMENTS + ", one message"),
        }
    return {
        "boot": Phase(70, cpu_ma, "assumed", _AS_ESP32),
        "start": Phase(450, cpu_ma, "assumed", "an ESP32's 350 ms x 19.8 s / 15.4 s, scruss.com"),
        "join": Phase(1626, radio_ma, "assumed", _AS_ESP32),
        "deliver": Phase(774, radio_ma, "assumed", _AS_ESP32),
    }


def from_log(port, measured):
    """The Cycle of a board whose own log has told {phase: ms}; the currents are the published."""
    (cpu_ma, *_), (radio_ma, *_) = AWAKE_MA[port]
    phases = {}
    for name, ms in measured.items():
        ma = cpu_ma if name in ("start", "wait", "sample", "store") else radio_ma
        phases[name] = Phase(ms, ma, "measured", "the board's log")
    if port == "esp32":  # before its counter begins
        phases["boot"] = Phase(70, 3.32 / 0.070, "published", _EXPERIMENTS)
    return Cycle(phases, SLEEP_MA[port][0])
