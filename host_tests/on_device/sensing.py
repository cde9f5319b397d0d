"""Runs on the device: one driver with the chip that it is for, on a stand-in board, in a time that
only goes on when the driver waits. PETREL_PORT is the board.
"""

import os
import sys

from host_tests.boards import power, world


class _Module:
    """Takes a module's place in sys.modules."""


class _Clock:
    def __init__(self):
        self._ms = 1000

    def now(self):
        return self._ms

    def sleep(self, ms):
        self._ms += ms


world.clock = _Clock()
power.on(os.getenv("PETREL_PORT"))

import gc  # noqa: E402

import micropython  # noqa: E402

from firmware import config_kinds, sensors  # noqa: E402
from host_tests.boards import buses, chips, i2c, onewire, pins  # noqa: E402

from . import canned, server  # noqa: E402

parts = {}  # a chip that a test has put on a bus, by name
made = []  # the sensors


def source(name, text):
    """Let `text` be the driver `name`."""
    space = {"__name__": "firmware.sensors." + name}
    exec(text, space)
    module = _Module()
    for key, value in space.items():
        setattr(module, key, value)
    sys.modules[space["__name__"]] = module


def check(entry):
    """The complete entry and the problems of a sensor in a config."""
    try:
        config = config_kinds.check({"sensors": [entry]}, "/")
        return config["sensors"][0], []
    except config_kinds.ConfigError as error:
        return None, error.problems


def make(entry):
    """Make a sensor as the application does; returns its channels."""
    entry, problems = check(entry)
    if problems:
        raise ValueError("; ".join(problems))
    made.append(sensors.module(entry["driver"]).Sensor(entry, None))
    return [[c.key, c.unit, c.decimals, c.kind] for c in made[-1].channels]


def forget():
    """A new board: nothing on its buses and pins."""
    made.clear()
    parts.clear()
    i2c.buses.clear()
    onewire.buses.clear()
    onewire.held_low.clear()
    pins.wires.clear()
    pins.levels.clear()
    buses.volts.clear()


def put(name, kind, address, *arguments):
    """Put a chip on the bus, or on a pin of a 1-Wire bus."""
    arguments = [unhex(argument) for argument in arguments]
    if kind == "Ds18b20":
        parts[name] = onewire.Ds18b20(*arguments)
        onewire.buses.setdefault(address, []).append(parts[name])
    else:
        parts[name] = getattr(chips, kind)(*arguments)
        i2c.bus().chips[address] = parts[name]


def unhex(argument):
    return bytes.fromhex(argument[4:]) if str(argument)[:4] == "hex:" else argument


def tell(name, attribute, value):
    setattr(parts[name], attribute, value)


def ask(name, attribute):
    return repr(getattr(parts[name], attribute))


def plug(name, there):
    parts[name].plug() if there else parts[name].unplug()


def stick(clocks):
    """Hold the data line until so many clocks have come."""
    i2c.bus().stuck = clocks


def bus():
    return {"opened": i2c.bus().opened, "clocks": i2c.bus().clocks}


def take(number=0, hurry_ms=0, between=None):
    """Take a reading; returns [values, ms that the conversion takes]. `hurry_ms` sooner than the
    driver says. `between` is [function, arguments] to call while it converts.
    """
    sensor = made[number]
    values = [None] * (len(sensor.channels) + 2)
    wait_ms = sensor.begin()
    if between:
        globals()[between[0]](*between[1])
    world.sleep(max(0, wait_ms - hurry_ms))
    sensor.read(values, 1)
    if values[0] is not None or values[-1] is not None:
        raise RuntimeError("it wrote a value that is another sensor's")
    return values[1:-1], wait_ms


def blocked_ms(number=0):
    """How long beginning and reading keep the loop waiting."""
    sensor = made[number]
    start = world.now()
    wait_ms = sensor.begin()
    began = world.now() - start
    world.sleep(wait_ms)
    start = world.now()
    sensor.read([None] * len(sensor.channels), 0)
    return began, world.now() - start


def wait(ms):
    world.sleep(ms)


def now():
    return world.now()


def opened(number):
    """(scl, sda, frequency) of each time that a controller was set up."""
    return i2c.bus(number).opened


def call(driver, function, arguments):
    """A driver's pure function, for each of some lists of arguments, the heap locked but for the
    results. Returns the results, and how often it allocated.
    """
    function = getattr(sensors.module(driver), function)
    results, allocated = [0] * len(arguments), 0
    for i in range(len(arguments)):
        given = [tuple(a) if isinstance(a, list) else a for a in arguments[i]]
        a, b, c = (given + [None, None])[:3]
        micropython.heap_lock()
        try:  # f(*given) would allocate
            if b is None:
                function(a)
            elif c is None:
                function(a, b)
            else:
                function(a, b, c)
            micropython.heap_unlock()
        except MemoryError:
            micropython.heap_unlock()
            allocated += 1
        results[i] = function(*given)
    return results, allocated


def locked(number=0):
    """A reading with the heap locked, from a bus that allocates nothing itself and says what the
    real one has just said. Returns the values.
    """
    sensor = made[number]
    values = [None] * len(sensor.channels)
    with canned.Recording(sensor) as bus:
        world.sleep(sensor.begin())
        sensor.read(values, 0)
    expected = list(values)
    bus.replay()
    gc.collect()
    micropython.heap_lock()
    try:
        sensor.begin()
        sensor.read(values, 0)
    finally:
        micropython.heap_unlock()
        bus.restore()
    return values, expected


def heap_bytes(number=0, count=20):
    """Bytes of heap that a reading uses for a moment, in the mean."""
    sensor = made[number]
    values = [None] * len(sensor.channels)
    with canned.Recording(sensor) as bus:
        world.sleep(sensor.begin())
        sensor.read(values, 0)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(count):
        bus.replay()
        sensor.begin()
        sensor.read(values, 0)
    used = gc.mem_alloc() - before
    gc.enable()
    bus.restore()
    return used // count


def drive(number, level):
    pins.drive(number, level)


def let(number, attribute, value):
    """Set what a sensor remembers."""
    setattr(made[number], attribute, value)


def with_counter():
    """Let the port have hardware counters, as ESP32's newer firmware."""
    import machine

    machine.Counter = pins.HardwareCounter


def without_counter():
    import machine

    del machine.Counter


def count(number, pulses):
    made[number]._counter.counted = pulses


def short(pin):
    """A 1-Wire line to ground."""
    onewire.held_low.append(pin)


def volts(source, microvolts):
    buses.volts[source] = microvolts


def answer(pin, data):
    dht = __import__("dht")  # the stand-in's
    dht.answers[pin] = unhex(data)


server.serve(globals())
