"""Publishes with umqtt.simple as its documentation shows it; prints messages a second."""

import os
import time

from umqtt.simple import MQTTClient

count = int(os.getenv("COUNT"))
client = MQTTClient("bench-plain", "127.0.0.1", int(os.getenv("PORT")))
client.connect()
payload = b"x" * 64
client.publish(b"bench/plain", payload, qos=1)
start = time.ticks_us()
for _ in range(count):
    client.publish(b"bench/plain", payload, qos=1)
print(count * 1000000 // time.ticks_diff(time.ticks_us(), start))
client.disconnect()
