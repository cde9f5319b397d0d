"""QoS 1 messages a second on loopback, beside plain umqtt.simple, the two in turn."""

import statistics

from petrel import runtime

ROUNDS = 3
PLAIN, LINK = 50, 5000


def measure(bench):
    print("QoS 1 messages a second, 64 bytes, loopback, one at a time")
    figures = {}
    for version in runtime.umqtt_folders():
        bench.image = runtime.build(umqtt=version)
        pairs = [(rate(bench, "plain_umqtt", PLAIN), rate(bench, "link_umqtt", LINK))
                 for _ in range(ROUNDS)]
        plain, link = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(link / plain for plain, link in pairs)
        print(f"  umqtt.simple {version:15} plain {plain:6.0f}   Petrel's link {link:6.0f}"
              f"   {ratio:5.0f} x")
        figures[version] = {"plain": plain, "link": link, "ratio": ratio}
    bench.image = runtime.build()
    return figures


def rate(bench, script, count):
    more = {"COUNT": str(count), "PORT": str(bench.broker.port)}
    return int(bench.chip(bench.script(script), **more).stdout)
