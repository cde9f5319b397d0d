"""The peer of the gateway's measurement: MQTT to HTTP, one request a message, as written first.

    python gateway_forwarder.py PORT URL
"""

import json
import sys
import time

import httpx
import paho.mqtt.client as mqtt


def forward(_client, _userdata, message):
    data = json.loads(message.payload)
    body = {"topic": message.topic, "data": data, "timestamp": time.time()}
    http.post(sys.argv[2], json=body).raise_for_status()


http = httpx.Client()
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.on_message = forward
client.on_subscribe = lambda *_: print("subscribed", flush=True)
client.connect("127.0.0.1", int(sys.argv[1]))
client.subscribe("devices/#", 1)
client.loop_forever()
