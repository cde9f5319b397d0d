"""Runs on the device: the same program on umqtt.simple and on lib/mqtt's face of it."""

from . import server


def program(module, port):
    """A program as umqtt.simple's users write it; returns what its callback got."""
    MQTTClient = __import__(module, None, None, ["MQTTClient"]).MQTTClient
    got = []
    client = MQTTClient("simple", "127.0.0.1", port, keepalive=30)
    client.set_callback(lambda topic, message: got.append([topic.decode(), message.decode()]))
    client.set_last_will(b"simple/will", b"gone", qos=1)
    client.connect()
    client.subscribe(b"simple/#", 1)
    client.subscribe(b"simple/+/b", 1)
    client.publish(b"simple/a", b"nothing promised")
    client.wait_msg()
    client.publish(b"simple/a/b", b"once at least", qos=1)
    while len(got) < 2:
        client.wait_msg()
    client.publish("simple/c", "kept", retain=True, qos=1)
    while len(got) < 3:
        client.check_msg()
    client.ping()
    client.disconnect()
    return got


def refused(module, port):
    """What a program gets from a broker that knows no such user."""
    module = __import__(module, None, None, ["MQTTClient"])
    client = module.MQTTClient("simple", "127.0.0.1", port, "nobody", "secret")
    try:
        client.connect()
    except module.MQTTException as error:
        return getattr(error, "code", error.args[0])


def lost(module, port):
    """What a program gets when the broker goes: it must not wait for ever."""
    module = __import__(module, None, None, ["MQTTClient"])
    client = module.MQTTClient("simple", "127.0.0.1", port)
    client.set_callback(print)
    client.connect()
    client.subscribe("simple/stop")
    client.publish("simple/ready", "yes", retain=True, qos=1)
    try:
        client.wait_msg()
    except OSError as error:
        return str(error)


server.serve(globals())
