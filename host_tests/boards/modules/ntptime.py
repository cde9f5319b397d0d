"""`ntptime`: micropython/net/ntptime of micropython-lib. Blocks for up to `timeout` seconds, and
as long as the name server takes before that; its seconds count from the port's epoch.
"""

from board_errno import ETIMEDOUT

from host_tests.boards import air, world

host = "pool.ntp.org"
timeout = 1


def time():
    if not air.station.carries():
        world.sleep(air.RESOLVE_MS // air.haste)
        raise OSError(-202 if world.port == "esp32" else -6)
    wrong_s = air.ntp.get(host, 0)
    if wrong_s is None:
        world.sleep(int(timeout * 1000))
        raise OSError(ETIMEDOUT)
    world.sleep(30)
    return air.true_ms() // 1000 + wrong_s - world.EPOCH_MS[world.port] // 1000


def settime():
    from time import gmtime

    import machine

    t = gmtime(time())
    machine.RTC().datetime((t[0], t[1], t[2], t[6] + 1, t[3], t[4], t[5], 0))
