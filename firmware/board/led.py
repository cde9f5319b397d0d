"""What a status LED shows.

    connecting   blinks once a second        online      glows faintly
    offline      flashes every two seconds   safe mode   flickers, eight times a second

PWM does the last by itself, because nothing of ours runs then. The LED of a Pico W hangs on its
WiFi chip and can only be on or off: safe mode is on there.
"""

# pyright: reportAttributeAccessIssue=true

from machine import PWM, Pin
from micropython import const

_CONNECTING = const(0)
_ONLINE = const(1)
_OFFLINE = const(2)

_GLOW = const(2_000)  # of 65,535
_FREQ = const(1_000)
_FLICKER = const(8)  # Hz: the slowest that RP2040's PWM can do


class Led:
    """`tick()` is to be called twice a second. `pin` is a number, or "LED"."""

    def __init__(self, pin, inverted):
        self._inverted = inverted
        self._beat = 0
        self._shows = _CONNECTING
        self._pwm = None
        self._pin = Pin(pin, Pin.OUT)
        try:
            self._pwm = PWM(self._pin, freq=_FREQ, duty_u16=65535 if inverted else 0)
        except ValueError:  # a pin of the WiFi chip
            self._light(0)

    def show(self, online, failures):
        """How the uplink is: `failures` in a row before or since."""
        self._shows = _ONLINE if online else _OFFLINE if failures else _CONNECTING

    def tick(self):
        self._beat = (self._beat + 1) & 3
        if self._shows == _ONLINE:
            self._light(_GLOW)
        elif self._shows == _OFFLINE:
            self._light(0 if self._beat else 65535)
        else:
            self._light(65535 if self._beat & 1 else 0)

    def safe_mode(self):
        if self._pwm:
            self._pwm.freq(_FLICKER)
        self._light(32768 if self._pwm else 65535)

    def _light(self, duty):
        if self._inverted:
            duty = 65535 - duty
        if self._pwm:
            self._pwm.duty_u16(duty)
        else:
            self._pin.value(duty > 0)
