"""Says on stderr which readings the queue has taken: `took NUMBER DUE_MS` once `put` returned.

Imported before the application starts; what a pipe has got, a power cut does not take back.
"""

import sys

from firmware import durable, outbox


def witnessed(put):
    def put_and_say(self, due_ms, *args):
        number = put(self, due_ms, *args)
        print("took", number, due_ms, file=sys.stderr)
        return number

    return put_and_say


for box in (durable.DurableOutbox, outbox.Outbox):
    box.put = witnessed(box.put)
