"""Stand-in boards: the Unix port of MicroPython with an ESP32's or a Pico W's own semantics.

On MicroPython, before anything of the firmware is imported:

    from host_tests.boards import power

    power.on("esp32")              # or "rp2"

After that `import machine`, `network`, `esp32`, `rp2`, `time`, `socket`, `json`, `ntptime`,
`errno` and `sys` find what is in `host_tests/boards/modules`, each written after the port's C file
that its docstring names. What they stand in for is hardware: it lives in `world` (time, power,
what outlives a reset), `air` (access points, DHCP, name server, NTP) and, for buses and pins, in
files of their own beside them. A test changes the hardware there, and never the modules.

    machine.Pin, PWM, ADC, I2C, time_pulse_us   come from `pins` and `buses`
    machine.WDT, RTC, Timer, reset, deepsleep   from modules/machine.py itself

Where a test needs a time of its own it sets `world.clock` (see `world`). A whole device, run as
`petrel run` runs the Unix port, is host_tests/harness/standin.py.

What differs from the Unix port, and from where it is known:

    ticks wrap at 2^30             py/mpconfig.h; native on the 32-bit port, so run wraps there
    the epoch is 2000 (ESP32)      py/mpconfig.h, MICROPY_EPOCH_IS_2000
    time.time() is an int          ports/*/modtime.c
    floats have 32 bits            MICROPY_FLOAT_IMPL_FLOAT; what json and hardware give is rounded
    setblocking(True) erases a time-out, a UDP socket keeps 4 datagrams (modules/socket.py)

`tls` is the same C file on all of them (extmod/modtls_mbedtls.c, errors negated) and stays.
"""
