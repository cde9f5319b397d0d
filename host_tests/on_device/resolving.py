"""Runs on the device: the resolver, with a name server and a clock of the test's."""

import tcp

from . import server


def resolve(steps):
    """Do the steps with one resolver and return what came of each, and the slowest look-up in ms.

    ["name server", [addresses]] or ["name server", None] (away), ["slow", ms], ["wait", ms],
    ["resolve"] -> [address, look-ups so far] or the error's text, ["failed"].
    """
    world = {"now": (1 << 30) - 5000, "answer": None, "slow": 0, "asked": 0}

    def getaddrinfo(host, port, family, kind):
        world["asked"] += 1
        world["now"] += world["slow"]
        if world["answer"] is None:
            raise OSError(-2)
        return [(2, kind, 6, "", address) for address in world["answer"]]

    resolver = tcp.Resolver(getaddrinfo, lambda: world["now"] & ((1 << 30) - 1))
    results = []
    for step in steps:
        if step[0] == "name server":
            world["answer"] = step[1]
        elif step[0] == "slow":
            world["slow"] = step[1]
        elif step[0] == "wait":
            world["now"] += step[1]
        elif step[0] == "failed":
            resolver.failed("broker", 1883)
        else:
            try:
                results.append([resolver.resolve("broker", 1883)[1], world["asked"]])
            except tcp.ConnectError as error:
                results.append([error.stage + ": " + error.text, world["asked"]])
    return results, resolver.slowest_ms


server.serve(globals())
