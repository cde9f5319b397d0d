"""Runs on the device: a stand-in board's network, time, watchdog and memory, in virtual time.
PETREL_PORT is the board.
"""

import asyncio
import os

from host_tests.boards import air, power, world

PORT = os.getenv("PETREL_PORT")
world.port = PORT


class _Clock:
    """The world's time is the loop's, from the moment on that there is one."""

    time = None

    def now(self):
        return 1_000 if self.time is None else self.time.now()

    def sleep(self, ms):
        self.time.advance(ms)


world.clock = _Clock()
power.on(PORT)

from firmware import clock as firmware_clock  # noqa: E402
from firmware.board import blackbox, retained  # noqa: E402
from firmware.board import this as board_of  # noqa: E402
from firmware.board.network import Network  # noqa: E402

from . import server, virtual_time  # noqa: E402

world.clock.time = virtual_time.time
START_MS = 1_764_000_000_000  # Unix time when the virtual time is 0


class _Sampler:
    """A reading every so often, as the network sees it."""

    converting = False

    def __init__(self, every_ms):
        self.every_ms = every_ms

    def next_due(self):
        return (virtual_time.time.now() // self.every_ms + 1) * self.every_ms


class Scene:
    def __init__(self, networks, every_s=10, servers=(), resync_s=86400):
        air.reset()
        world.timers.clear()
        world.watchdog = None
        world.power_on()
        virtual_time.restart()
        air.true_ms = lambda: START_MS + virtual_time.time.now()
        self.board = board_of().__class__()
        self.clock = firmware_clock.Clock(_Uptime, self.board.wall_ms)
        config = {
            "wifi": networks,
            "board": {"led": 2, "led_inverted": False, "country": None},
            "time": {"servers": list(servers), "resync_s": resync_s},
            "sensors": [{"every_s": every_s}],
        }
        self.network = Network(self.board, config, self.clock, _Sampler(every_s * 1000))


class _Uptime:
    @staticmethod
    def now():
        return virtual_time.time.now()


def points(told):
    for point in told:
        air.points.append(air.Point(**point))


def up(networks, there, later=(), tries=1, apart_ms=1000):
    """Bring WiFi up, `tries` times. `there`: access points; `later`: [[ms, ssid, changes], ...].
    What came of each, and what the radio was told.
    """
    scene = Scene(networks)
    points(there)
    for at, ssid, changes in later:
        air.script.append((at, _changing(ssid, changes)))
    network = scene.network
    told = {"tries": [], "pm": []}

    async def main():
        for _ in range(tries):
            start = virtual_time.time.now()
            try:
                await network.wifi.up()
                why = None
            except OSError as error:
                why = str(error)
            told["tries"].append([why, virtual_time.time.now() - start])
            wlan = network.wifi.wlan
            told["pm"].append(wlan and wlan.config("pm") == wlan.PM_PERFORMANCE)
            await asyncio.sleep_ms(apart_ms)

    asyncio.run(main())
    told["joins"] = air.station.joins
    told["scans"] = air.station.driver.scans
    told["status"] = network.wifi.status
    return told


def _changing(ssid, changes):
    def change():
        for point in air.points:
            if point.ssid == ssid:
                for name in changes:
                    setattr(point, name, changes[name])

    return change


def together():
    """Two that want WiFi at once while there is none share one round."""
    scene = Scene([{"ssid": "home", "password": "secret"}])
    came = []

    async def want(after_ms):
        await asyncio.sleep_ms(after_ms)
        try:
            await scene.network.wifi.up()
        except OSError as error:
            came.append(str(error))

    async def main():
        tasks = [asyncio.create_task(want(ms)) for ms in (0, 500)]
        for task in tasks:
            await task

    asyncio.run(main())
    return came, len(air.station.joins)


def times(servers, answers, hours, every_s=10, drifts=(), resync_s=86400):
    """Run the network for so many hours. `answers`: server -> seconds that it is wrong by, or
    None; `drifts`: [[hour, seconds that our clock jumps], ...]. When the servers were asked and
    how long until the next reading was due then, what health says, our clock's error in ms.
    """
    scene = Scene([{"ssid": "home", "password": "secret"}], every_s, servers, resync_s)
    points([{"ssid": "home", "password": "secret"}])
    air.ntp.update(answers)
    asked = []
    answer = scene.network.ntp._answer

    def watched(server):
        now = virtual_time.time.now()
        asked.append([server, now, scene.network._sampler.next_due() - now])
        return answer(server)

    scene.network.ntp._answer = watched
    unset = scene.board.wall_ms() is None

    async def main():
        await scene.network.up()
        task = asyncio.create_task(scene.network.run())
        for hour, seconds in drifts:
            await asyncio.sleep_ms(hour * 3_600_000 - virtual_time.time.now())
            world.battery["clock"] += seconds * 1000
        await asyncio.sleep_ms(hours * 3_600_000 - virtual_time.time.now())
        task.cancel()

    asyncio.run(main())
    told = {"unset": unset, "asked": asked, "health": scene.network.health()}
    scene.clock.sync()
    if scene.clock.is_set():
        told["wrong_ms"] = scene.board.wall_ms() - air.true_ms()
        told["clock_ms"] = scene.clock.unix_ms(virtual_time.time.now()) - air.true_ms()
    return told


def woken():
    """After a nap that kept the time while the RTC lost it: is the RTC set before a connection?"""
    scene = Scene([{"ssid": "home", "password": "secret"}], servers=["a"])
    points([{"ssid": "home", "password": "secret"}])
    air.ntp["a"] = 0
    scene.clock.offset = START_MS
    unset = scene.board.wall_ms() is None
    asyncio.run(scene.network.up())
    return unset, scene.board.wall_ms() is not None


def lost_and_found(away_ms):
    """The access point is away for so long; after how many ms each state was seen by us."""
    scene = Scene([{"ssid": "home", "password": "secret"}])
    points([{"ssid": "home", "password": "secret"}])
    seen = []

    async def main():
        await scene.network.up()
        task = asyncio.create_task(scene.network.run())
        air.points[0].up = False
        start = virtual_time.time.now()
        air.script.append((start + away_ms, _changing("home", {"up": True})))
        was = True
        while virtual_time.time.now() < start + 60_000:
            now = air.station.has_address()
            if now != was:
                seen.append([now, virtual_time.time.now() - start])
                was = now
            await asyncio.sleep_ms(100)
        task.cancel()

    asyncio.run(main())
    return seen


def watchdog(feeds, blocks_ms):
    """Feed once a second so many times, then block: has the watchdog bitten?"""
    scene = Scene([])
    board = scene.board
    for _ in range(feeds):
        board.watchdog(8000)
        world.sleep(1000)
    world.sleep(blocks_ms)
    return world.bitten()


def remembers(cause):
    """What the black box says after a life with trouble that ended so."""
    scene = Scene([{"ssid": "home", "password": "secret"}])
    network = scene.network
    network.wifi.status = 201 if PORT == "esp32" else -2
    for how in ("connecting", "tcp", "connecting", "wifi"):
        network.told(how)
    virtual_time.time.advance(7 * 60_000)
    network._note()
    if cause == "power":
        world.power_on()
    elif cause == "software":
        try:
            scene.board.reset()
        except world.Reset:
            pass
    elif cause == "deepsleep":
        try:
            _sleep_of(scene.board).deepsleep(1000, b"")
        except world.Reset:
            pass
    else:
        world.battery["cause"] = "watchdog"
    board = scene.board.__class__()
    return board.reset_cause, blackbox.last_life(board)


def slept(ms, carried_bytes):
    """A deep sleep with the watchdog armed and WiFi up: after how many ms it ended, the cause of
    the next life, what that was given, and whether its clock is still set.
    """
    scene = Scene([{"ssid": "home", "password": "secret"}])
    points([{"ssid": "home", "password": "secret"}])
    asyncio.run(scene.network.up())
    scene.board.set_clock(START_MS // 1000)
    scene.board.watchdog(8_000)
    carried = bytes(range(carried_bytes))
    start = virtual_time.time.now()
    try:
        _sleep_of(scene.board).deepsleep(ms, carried)
    except world.Reset as reset:
        virtual_time.time.advance(reset.ms)
    active = air.station.driver.active
    world.watchdog = None
    world.timers.clear()
    board = scene.board.__class__()
    given = _sleep_of(board).carried()
    took = virtual_time.time.now() - start
    return took, board.reset_cause, given == carried, board.wall_ms() is not None, active


def _sleep_of(board):
    return __import__("firmware.board.sleep_" + PORT, None, None, ("Sleep",)).Sleep(board)


def kept(sizes):
    """Which of such pieces of state find room beside each other, and what is read back."""
    Scene([])
    board = board_of().__class__()
    memory = board.retained
    fits = [memory.keep("abcdef"[i], bytes(sizes[i])) for i in range(len(sizes))]
    again = board.__class__().retained
    return fits, [len(again.get("abcdef"[i]) or b"") for i in range(len(sizes))]


def damaged():
    """Every single bit of what is kept flipped: how often it is still taken for ours."""
    raw = []

    def write(data):
        raw[:] = [bytes(data)]
        return True

    memory = retained.Retained(b"", write)
    memory.keep("blackbox", b"12345")
    memory.keep("why", b"r")
    whole = raw[0]
    taken = 0
    for i in range(8 * len(whole)):
        image = bytearray(whole)
        image[i // 8] ^= 1 << (i & 7)
        taken += bool(retained.Retained(image, write)._slots)
    return taken, len(whole), len(retained.Retained(whole, write)._slots)


def leds():
    """Duty of the LED over eight beats in each state, and the frequency in safe mode."""
    from firmware.board.led import Led
    from host_tests.boards import pins

    led = Led(2, False)
    shown = {}
    for name, online, failures in (("connecting", 0, 0), ("online", 1, 0), ("offline", 0, 3)):
        led.show(online, failures)
        shown[name] = []
        for _ in range(8):
            led.tick()
            shown[name].append(pins.duties[2])
    led.safe_mode()
    shown["safe mode"] = pins.duties[2]
    return shown


server.serve(globals())
