"""Runs on the device: a server's sessions and clients, wired back to back; the network is a list.

Time goes on by the clock, because mbedTLS looks at that; `now` of the sessions is given.
"""

import gc
import time
from binascii import unhexlify

import tls

from coap.dtls_contexts import client_context, server_context
from coap.dtls_sessions import Sessions
from coap.dtls_wire import Wire

from . import server

KEY = b"sesame-sesame-16"
START = (1 << 30) - 3000


class Client:
    """mbedTLS's own, at an address."""

    def __init__(self, context, address, name=None):
        self.address = address
        self.context = context
        self.name = name
        self.error = None
        self.heard = []
        self.counts = [0, 0]  # datagrams to the server, to the client
        self.lost = lambda way, number: False
        self.start()

    def start(self):
        """Anew, as after a reset."""
        self.say(None)
        self.wire = Wire()
        self.tls = self.context.wrap_socket(
            self.wire, do_handshake_on_connect=False, server_hostname=self.name
        )

    def say(self, data):
        """Say it every now and then until there is an answer."""
        self.saying, self.due = data, time.ticks_ms()

    def feed(self, datagram):
        self.wire.datagram = datagram
        try:
            due = self.saying and time.ticks_diff(time.ticks_ms(), self.due) >= 0
            if due and self.tls.write(self.saying):
                self.due = time.ticks_add(time.ticks_ms(), 300)
            data = self.tls.read(1000)
            if data:
                self.saying = None
                self.heard.append(bytes(data))
        except (OSError, ValueError) as error:
            self.error = str(error)


class Net:
    """Carries datagrams between clients and `sessions`, which answer each message by itself. A
    client's `lost(way, number)` says what does not arrive; the ways are 0, to the server, and 1.
    """

    def __init__(self, sessions, clients):
        self.sessions, self.clients = sessions, clients
        self.events = []
        self.start = time.ticks_ms()

    def now(self):
        return START + time.ticks_diff(time.ticks_ms(), self.start)

    def step(self):
        """One turn; returns whether anything moved."""
        sessions, moved = self.sessions, False
        for client in self.clients:
            if client.error is None:
                client.feed(None)
            for datagram in client.wire.out:
                moved = True
                if _passes(client, 0):
                    sessions.receive(datagram, client.address, self.now())
                    self.drain()
            client.wire.out.clear()
        if sessions.deadline() is not None and sessions.deadline() <= self.now():
            sessions.on_timer(self.now())
        return self.drain() or moved

    def drain(self):
        sessions = self.sessions
        event = sessions.next_event()
        while event:
            if event[0] == "message":
                sessions.send(event[2], event[1])
            self.events.append(event)
            event = sessions.next_event()
        out, moved = sessions.next_out(), False
        while out:
            moved = True
            for client in self.clients:
                if client.address == out[1] and client.error is None and _passes(client, 1):
                    client.feed(out[0])
            out = sessions.next_out()
        return moved

    def run(self, until, limit_ms):
        """Until `until()`; returns whether it came to that in time."""
        end = time.ticks_add(time.ticks_ms(), limit_ms)
        while not until():
            if time.ticks_diff(end, time.ticks_ms()) < 0:
                return False
            if not self.step():
                time.sleep_ms(10)
        return True

    def told(self):
        return [[event[0], event[1].address.decode()] + list(event[2:]) for event in self.events]


def _passes(client, way):
    client.counts[way] += 1
    return not client.lost(way, client.counts[way])


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def contexts(options):
    """(server's, client's) of {"psk": [identity, key in hex]} or of files."""
    if "psk" in options:
        identity, key = options["psk"]
        return (
            server_context(psks={b"lamp": KEY}),
            client_context(psk=(identity.encode(), unhexlify(key))),
        )
    files = {name: path and _read(path) for name, path in options.items()}
    return (
        server_context(files["cert"], files["key"], files.get("client_ca")),
        client_context(files["ca"], files.get("client_cert"), files.get("client_key")),
    )


def _client(context, number, options):
    return Client(context, b"client %d" % number, None if "psk" in options else "localhost")


def has_psk():
    return hasattr(tls.SSLContext(tls.PROTOCOL_DTLS_CLIENT), "psk_key")


def missing(options):
    """What the library says where this port lacks keys, and cookies for a server's certificate."""
    told = []
    for make in (
        lambda: client_context(psk=(b"lamp", KEY)), lambda: server_context(psks={b"lamp": KEY}),
        lambda: contexts(options),
    ):
        try:
            make()
            told.append(None)
        except ValueError as error:
            told.append(str(error))
    return told


def handshake(options, limit_ms=10_000):
    """One client says "hi"; returns what became of it."""
    made = contexts(options)
    client = _client(made[1], 1, options)
    client.say(b"hi")
    net = Net(Sessions(made[0]), [client])
    sessions = net.sessions
    net.run(lambda: client.heard or client.error or sessions.failed, limit_ms)
    net.run(lambda: not sessions.opening, 300)
    net.step()
    peers = sessions.open
    return {
        "heard": [data.decode() for data in client.heard], "error": client.error,
        "events": [event[:1] + event[2:] for event in net.told() if event[0] != "message"],
        "peers": [[peer.identity and peer.identity.decode(), peer.known] for peer in peers],
        "hellos": sessions.hellos, "datagrams": client.counts,
    }


def lossy(options, patterns, limit_ms):
    """As many clients at once as there are patterns: [[way, number] ...] that are lost, or
    [seed, percent]. Returns the time of each until it was answered, in ms, or None.
    """
    made = contexts(options)
    clients = []
    for number, pattern in enumerate(patterns):
        client = _client(made[1], number, options)
        client.lost = _pattern(pattern)
        client.say(b"hi")
        clients.append(client)
    count = len(clients)
    net = Net(Sessions(made[0], limit=count, half_open=count), clients)
    times = {}

    def all_heard():
        for number, client in enumerate(clients):
            if client.heard and number not in times:
                times[number] = net.now() - START
        return len(times) == count

    net.run(all_heard, limit_ms)
    return [times.get(number) for number in range(count)]


def _pattern(pattern):
    if pattern and isinstance(pattern[0], int):
        rng, percent = [pattern[0] * 7919 + 12345], pattern[1]

        def lost(way, number):
            rng[0] = (rng[0] * 1103515245 + 12345) & 0x7FFFFFFF
            return (rng[0] >> 8) % 100 < percent

        return lost
    drops = [tuple(drop) for drop in pattern]
    return lambda way, number: (way, number) in drops


def restart(options, silent):
    """A client is reset and comes back from its address. `silent`: nothing but a cookie reaches
    it, so that what it says anew never ends in a handshake. Returns what the server did.
    """
    made = contexts(options)
    client = _client(made[1], 1, options)
    client.say(b"one")
    last = [1000]  # the server's datagram after which nothing passes
    client.lost = lambda way, number: way and number > last[0]
    net = Net(Sessions(made[0], handshake_ms=400), [client])
    net.run(lambda: client.heard, 10_000)
    sessions = net.sessions
    old = sessions.open[0]
    before = client.wire, client.tls
    client.start()
    client.say(b"two")
    if silent:
        last[0] = client.counts[1] + 1
        net.run(lambda: sessions.opening, 10_000)
        last[0] = 1000
        client.wire, client.tls = before  # the first one speaks
        client.say(b"still")
    while_opening = [old.state, len(sessions.opening)]
    net.run(lambda: len(client.heard) > 1, 10_000)
    net.run(lambda: not sessions.opening, 10_000)
    return {
        "heard": [data.decode() for data in client.heard], "while": while_opening,
        "old": old.state, "now": sessions.open[0] is old, "open": len(sessions.open),
        "closed": [event[2] for event in net.events if event[0] == "closed"],
    }


def many(options, count, limit):
    """`count` clients at once, each of which says its number until it hears it again."""
    made = contexts(options)
    clients = [_client(made[1], number, options) for number in range(count)]
    for client in clients:
        client.say(client.address)
    net = Net(Sessions(made[0], limit=limit, half_open=4), clients)
    done = net.run(lambda: all(client.heard for client in clients), 60_000)
    wrong = [client.address for client in clients if client.heard != [client.address]]
    sessions = net.sessions
    return {
        "done": done, "wrong": [str(address) for address in wrong], "open": len(sessions.open),
        "evicted": sessions.evicted, "refused": sessions.refused,
    }


def idle(options):
    """Three clients where two have room; the first speaks again before the third comes. Returns
    who is left.
    """
    made = contexts(options)
    clients = [_client(made[1], number, options) for number in range(3)]
    net = Net(Sessions(made[0], limit=2), clients)
    for number in (0, 1, 0, 2):
        clients[number].heard.clear()
        clients[number].say(b"here")
        heard = clients[number].heard
        net.clients = [clients[number]]
        assert net.run(lambda heard=heard: heard, 10_000)
    left = [peer.address.decode() for peer in net.sessions.open]
    return left, net.sessions.evicted, net.told()[-3:]


def flood(options, count, cookies):
    """`count` forged ClientHellos of as many addresses while a known peer speaks, every tenth
    time. `cookies`: they have proven their address and go no further. Returns what it cost.
    """
    made = contexts(options)
    known = _client(made[1], 0, options)
    known.say(b"known")
    net = Net(Sessions(made[0]), [known])
    net.run(lambda: known.heard, 10_000)
    sessions = net.sessions
    hello = Client(made[1], b"forged", known.name)
    hello.feed(None)
    first = hello.wire.out[0]
    heard, memory, worst = 0, [], 0
    for number in range(count):
        address = b"forged %d" % number
        before = time.ticks_us()
        sessions.receive(first, address, net.now())
        if cookies:
            answered = Client(made[1], address, known.name)
            answered.feed(None)
            answered.wire.out.clear()
            sessions.receive(_with_random(first, answered, sessions), address, net.now())
            answered.tls.close()  # what it costs is not the server's
        worst = max(worst, time.ticks_diff(time.ticks_us(), before))
        while sessions.next_out():
            pass
        if number % 10 == 9:
            net.events.clear()
            known.say(b"known")
            known.heard.clear()
            heard += net.run(lambda: known.heard, 1000)
        if number % (count // 4) == count // 4 - 1:
            gc.collect()
            memory.append([gc.mem_alloc(), _resident()])
    return {
        "heard": heard, "memory": memory, "worst_us": worst, "open": len(sessions.open),
        "opening": len(sessions.opening), "hellos": sessions.hellos, "refused": sessions.refused,
    }


def _with_random(first, client, sessions):
    """The client's second ClientHello: it answers the cookie that `first` would get."""
    sessions.receive(first, client.address, START)
    out = sessions.next_out()
    while out and out[1] != client.address:
        out = sessions.next_out()
    client.feed(out[0])
    second = client.wire.out[0]
    client.wire.out.clear()
    return second


def _resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])


server.serve(globals())
