"""The board: everything that differs between an ESP32, an RP2040 and the Unix port, behind one
small interface.

config_path                    where its config is
parts                          sections that are in it beside what every device needs
reset_cause                    "power", "watchdog", "software" or "deepsleep"
unique_id() -> str             the same for the life of the board
wall_ms() -> int or None       Unix time in ms whatever the port's epoch; None if unset
network(config, clock, sampler)  what cares for the network, or None: the host does
watchdog(ms)                   arm or feed: without another call within `ms` the board is reset;
                               a board may wait longer, where its calls may block longer
load(name) -> bytes or None    small state that survives a reset and a power cut
save(name, data)               replaces it as a whole
path(name)                     where that state is, or what else is kept in files
boot()                         what comes before the application; returns
problem                        None, or why the application is not to be started
birth()                        what the birth says of the life before: {"last": ...} or nothing
failed(error)                  write down what ended the application; `reset` follows
await stop_requested()         returns when the device is asked to stop politely
until_drained                  end once all sensors have ended and everything is delivered
sleep_ms(ms)                   doing nothing at all for so long
reset()                        does not return
exit(status)                   the application has ended; does not return on the Unix port

A board of its own, an ESP32 or a Pico W, has besides:

retained                       memory that outlives a reset (`retained.py`)
lightsleep(ms)                 with the power of RAM on
release()                      the watchdog lets whoever sits at the REPL work
after(ms, callback)            once, whatever else goes on
input(number)                  a pin with its pull-up
wlan(country), wifi_state(w)   for `wifi.py`

and what `network` gives has `await up()`, OSError with the reasons if there is no network now;
`told(how)`, how a connection fares (`firmware/links/wifi.py`); `await run()`; `health()`.

What sleeps deeply is a class `Sleep` in `sleep_unix.py` and so on, made with the board:

deepsleep(ms, carried)         with the power of RAM off; does not return. The next life begins
                               with the cause "deepsleep"
carried()                      what was given to the sleep that has just ended, or None
awake_ms()                     since the board woke up
"""

import os
import sys

_device = None


def this():
    """Return the board that we run on, always the same one, importing only its module."""
    global _device
    if _device is None:
        name = {"linux": "unix", "darwin": "unix"}.get(sys.platform, sys.platform)
        if name == "unix" and os.getenv("PETREL_CLOCK"):
            name += "_clock"
        _device = __import__("firmware.board." + name, None, None, ("Board",)).Board()
    return _device
