"""`json` as on the boards: a float has 32 bits there (ports/*/mpconfigport.h)."""

import struct

import ujson

dump = ujson.dump
dumps = ujson.dumps


def load(stream):
    return _short(ujson.load(stream))


def loads(text):
    return _short(ujson.loads(text))


def _short(value):
    if isinstance(value, float):
        return struct.unpack("f", struct.pack("f", value))[0]
    if isinstance(value, dict):
        for key in value:
            value[key] = _short(value[key])
    elif isinstance(value, list):
        for i in range(len(value)):
            value[i] = _short(value[i])
    return value
