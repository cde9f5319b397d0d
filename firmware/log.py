"""The console: one line an event, `<uptime in s> <part>: <text>`."""

import sys

from ticks import Uptime

uptime = Uptime()


def log(part, text):
    now = uptime.now()
    print("%d.%03d %s: %s" % (now // 1000, now % 1000, part, text), file=sys.stderr)
