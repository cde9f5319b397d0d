"""MQTT 3.1.1 and 5.0 for MicroPython: a client that neither hangs nor loses.

    from mqtt.client import Client     the asyncio client
    from mqtt.session import Engine    the protocol without I/O, for another edge

What a program does not use is not imported: a client that only publishes has no memory for
subscriptions, one that speaks 3.1.1 none for 5.0.
"""
