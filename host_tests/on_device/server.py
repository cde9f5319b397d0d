"""Runs on the device: calls functions of a script for the host, one JSON line each way."""

import json
import sys


def serve(functions):
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        name, arguments = json.loads(line)
        try:
            answer = {"result": functions[name](*arguments)}
        except Exception as error:
            answer = {"raised": [type(error).__name__, str(error)]}
        print(json.dumps(answer))
