"""Plain umqtt.simple as `petrel.bench.mqtt` measures it: does the JOB, prints what came of it."""

import gc
import os
import time

JOB = os.getenv("JOB")
COUNT = int(os.getenv("COUNT"))
TOPIC = b"bench/umqtt"
PAYLOAD = b"x" * 64


class Dummy:
    pass


def used():
    gc.collect()
    return gc.mem_alloc()


for i in range(int(os.getenv("SPARE_NAMES"))):
    setattr(Dummy, "spare_name_%d" % i, 0)
before = used()
from umqtt.simple import MQTTClient  # noqa: E402

imported = used() - before
client = MQTTClient("bench-umqtt", "127.0.0.1", int(os.getenv("PORT")))
client.connect()
client.publish(TOPIC, PAYLOAD, qos=1)
if JOB == "heap":
    print(imported)
    print(used() - before)
elif JOB == "rate":
    start = time.ticks_us()
    for _ in range(COUNT):
        client.publish(TOPIC, PAYLOAD, qos=1)
    print(COUNT * 1000000 // time.ticks_diff(time.ticks_us(), start))
else:
    start = time.clock()
    for _ in range(COUNT):
        client.publish(TOPIC, PAYLOAD)
    print(int((time.clock() - start) * 1e9) // COUNT)
client.disconnect()
