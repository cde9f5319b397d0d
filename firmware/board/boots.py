"""Does this device crash in a loop? Counts the boots that never became healthy, in a file that a
power cut leaves old or new (`files.py`).

    boot: count < 5 ---- count + 1 ---> the application
              |                           |- fed for 5 minutes, polite end, deep sleep: count = 0
              | count = 5                 '- anything else: the next boot
              v
          safe mode, count = 4: the next boot is one more attempt

Nothing that the network does ends a life of the application, so nothing that it does is counted.
"""

from micropython import const

LIMIT = const(5)


def begin(board):
    """Count this boot. Returns why the application should not be started, or None."""
    count = _count(board.load("boots"))
    if count >= LIMIT:
        board.save("boots", b"%d" % (LIMIT - 1))
        return "%d boots in a row never became healthy" % count
    if board.reset_cause != "deepsleep":  # planned: a write to flash at every wake-up wears it out
        board.save("boots", b"%d" % (count + 1))
    return None


def _count(data):
    """A file that is none of ours counts as none."""
    try:
        return max(0, min(int(data or 0), LIMIT))
    except ValueError:
        return 0
