"""A server's DTLS 1.2 sessions, any number of peers behind one socket (RFC 6347).

      a ClientHello with a right cookie         the peer's Finished is right
    -------------------------> HANDSHAKE ----------------------------> OPEN
                                   |                                     |
                    an error,      |                                     | an error, close_notify,
                    `handshake_ms`,|                                     | a newer session of the
                    to make room   v                                     v address, to make room
                                 CLOSED <--------------------------------+

A ClientHello without a cookie is answered with one (HelloVerifyRequest, section 4.2.1) and nothing
of it is kept, so that forged senders cost no memory. One from an address that has a session is a
peer that was restarted, or somebody who says so: the old session goes on until the new one is
proven. What is not a ClientHello goes by the first record of its datagram:

    handshake and alerts    the handshake that is under way, else the session
    application data        the session

mbedTLS reads the clock by itself, but only when it is called: `on_timer` does it.
"""

from .dtls_wire import Wire, read
from .message import const

HANDSHAKE, OPEN, CLOSED = 0, 1, 2

_STEP_MS = const(50)
_STILL_MS = const(3000)  # a handshake that stands still for so long gives way to another one
_LONGEST = const(1280)  # a message that is taken
_OUT = const(32)
_HEADER = const(13)  # of a record: type, version, epoch, sequence number, length
_RANDOM = const(27)  # where a ClientHello has it
_SESSION_ID = const(59)
_HANDSHAKE = const(22)
_APPLICATION_DATA = const(23)
_CLIENT_HELLO = const(1)
_VERIFIED = const(2)  # tls.CERT_REQUIRED


class Peer:
    """The other end of a session; an Endpoint takes it for an address. Two sessions of one address
    are two peers, so nothing of one is ever answered to the other.

    `identity` is the name of its pre-shared key. `known`: it has proven who it is, by that or by a
    certificate.
    """

    def __init__(self, address, random, now):
        self.address = address
        self.identity = None
        self.known = False
        self.state = HANDSHAKE
        self.random = random
        self.since_ms = self.heard_ms = now
        self.wire = Wire()
        self.tls = None


class Sessions:
    """`context` is a server's (`coap.dtls_contexts`). At most `limit` sessions; a new one takes
    the place of the one that was idle longest. At most `half_open` handshakes, by default half
    as many, each at most `handshake_ms` long.

    Events: ("message", peer, bytes), ("opened", peer), ("closed", peer, reason); a handshake that
    fails is closed too.

    Memory, on a 32-bit port: a peer 270 bytes, and mbedTLS's own.
    """

    def __init__(self, context, limit=8, half_open=None, handshake_ms=60_000):
        self._context = context
        self._limit = limit
        self._half_open = half_open or max(1, limit // 2)
        self._handshake_ms = handshake_ms
        self._identities = None
        if getattr(context, "server_psk_keys", None) is not None:
            self._identities = context.server_psk_keys = _Keys(context.server_psk_keys)
        self.open = []  # heard of last at the end
        self.opening = []  # oldest first
        self._events = []
        self._out = []  # [(datagram, address)]
        self._due_ms = None
        self.hellos = 0  # answered with a cookie
        self.refused = 0  # handshakes for which there was no room
        self.failed = 0
        self.evicted = 0
        self.strays = 0  # datagrams that belong to no session
        self.dropped = 0  # datagrams that were not sent: too many at once

    # What the caller says

    def receive(self, datagram, address, now):
        """Take a datagram."""
        if len(datagram) <= _HEADER:
            self.strays += 1
            return
        session, opening = _of(self.open, address), _of(self.opening, address)
        random = _hello(datagram)
        if random is not None and not (opening and opening.random == random):
            if session and session.random == random:
                self.strays += 1  # its own, late or played again
            else:
                self._greet(datagram, address, random, opening, now)
            return
        peer = opening or session
        if datagram[0] == _APPLICATION_DATA:
            peer = session
        if peer is None:
            self.strays += 1
            return
        peer.heard_ms = now
        if peer is session:
            self.open.remove(peer)
            self.open.append(peer)
        self._feed(peer, datagram)

    def send(self, data, peer):
        """Send a message, or lose it if there is no session any more."""
        if peer.state == OPEN:
            try:
                peer.tls.write(data)
            except (OSError, ValueError, MemoryError) as error:
                self._close(peer, _told(error))
            self._take_out(peer)

    def close(self, peer):
        """Forget a session. mbedTLS's object can't tell the peer."""
        if peer.state != CLOSED:
            self._close(peer, "closed by us")

    def on_timer(self, now):
        """Let mbedTLS repeat what is lost, and end handshakes that take too long."""
        for i in range(len(self.opening) - 1, -1, -1):
            peer = self.opening[i]
            if now - peer.since_ms >= self._handshake_ms:
                self._close(peer, "no handshake within %d ms" % self._handshake_ms)
            else:
                self._feed(peer, None)
        self._due_ms = now + _STEP_MS

    def deadline(self):
        """When `on_timer` has something to do, or None."""
        return self._due_ms if self.opening else None

    def next_out(self):
        """The next (datagram, address) to be sent, or None."""
        return self._out.pop(0) if self._out else None

    def next_event(self):
        return self._events.pop(0) if self._events else None

    # Handshakes

    def _greet(self, datagram, address, random, opening, now):
        """A ClientHello: answer with a cookie, or begin a handshake if it has the right one."""
        stale = opening
        if not opening and len(self.opening) >= self._half_open and _has_cookie(datagram):
            stale = min(self.opening, key=lambda peer: peer.heard_ms)
            if now - stale.heard_ms < _STILL_MS:
                self.refused += 1
                return
        peer = Peer(address, random, now)
        try:
            peer.tls = self._context.wrap_socket(
                peer.wire,
                server_side=True,
                do_handshake_on_connect=False,
                client_id=address if isinstance(address, bytes) else repr(address).encode(),
            )
            peer.wire.datagram = datagram
            peer.tls.read(1)
        except (OSError, ValueError, MemoryError):
            # Mostly "hello verify required"; in any case there is no handshake, and no peer of
            # ours that could be told of.
            self.hellos += 1
            self._take_out(peer)
            if peer.tls:
                peer.tls.close()  # not every port's memory is freed by the collector in time
            return
        if stale:
            self._close(stale, "gave way to another handshake")
        self.opening.append(peer)
        self._due_ms = now + _STEP_MS
        self._go_on(peer)

    def _feed(self, peer, datagram):
        """Hand a datagram to mbedTLS, or None, and take what becomes of it."""
        peer.wire.datagram = datagram
        try:
            data = self._first(peer)
            while data:
                self._go_on(peer)
                if peer.state == CLOSED:
                    return
                self._events.append(("message", peer, data))
                data = read(peer.tls, _LONGEST)
            if data is not None:
                self._close(peer, "closed by the peer")
        except (OSError, ValueError, MemoryError) as error:
            self._close(peer, _told(error))
        self._go_on(peer)

    def _first(self, peer):
        """A first look at what came; in a handshake mbedTLS may ask for a key meanwhile."""
        identities = self._identities
        if not identities:
            return read(peer.tls, _LONGEST)
        identities.asked = None
        try:
            return read(peer.tls, _LONGEST)
        finally:
            peer.identity = identities.asked or peer.identity

    def _go_on(self, peer):
        """Send what mbedTLS has written, and see whether that has opened the session."""
        wire = peer.wire
        self._take_out(peer)
        if peer.state != HANDSHAKE:
            return
        if wire.oversize:
            self._close(peer, wire.too_long())
        elif wire.secure:
            self._open(peer)

    def _open(self, peer):
        self.opening.remove(peer)
        peer.state = OPEN
        peer.known = peer.identity is not None or self._context.verify_mode == _VERIFIED
        old = _of(self.open, peer.address)
        if old:
            self._close(old, "the peer was restarted")
        elif len(self.open) >= self._limit:
            self.evicted += 1
            self._close(self.open[0], "idle longest; gave way to another peer")
        self.open.append(peer)
        self._events.append(("opened", peer))

    def _close(self, peer, reason):
        if peer.state == HANDSHAKE:
            self.failed += 1
            if peer.identity:
                reason += ", with the key of %s" % peer.identity
        for peers in (self.open, self.opening):
            if peer in peers:
                peers.remove(peer)
        self._take_out(peer)  # an alert
        peer.state = CLOSED
        peer.tls.close()
        peer.tls = None  # who still names the peer does not keep mbedTLS's memory
        self._events.append(("closed", peer, reason))

    def _take_out(self, peer):
        wire = peer.wire
        for datagram in wire.out:
            if len(self._out) < _OUT:
                self._out.append((datagram, peer.address))
            else:
                self.dropped += 1
        wire.out.clear()


class _Keys:
    """A server's pre-shared keys for mbedTLS; `asked` is the last identity that has one."""

    def __init__(self, keys):
        self._keys = keys
        self.asked = None

    def get(self, identity):
        key = self._keys.get(identity)
        if key is not None:
            self.asked = identity
        return key


def _of(peers, address):
    for peer in peers:
        if peer.address == address:
            return peer
    return None


def _hello(datagram):
    """A ClientHello's random, else None."""
    if (
        datagram[0] == _HANDSHAKE
        and not (datagram[3] or datagram[4])  # epoch 0
        and datagram[_HEADER] == _CLIENT_HELLO
        and len(datagram) > _SESSION_ID
    ):
        return bytes(datagram[_RANDOM:_SESSION_ID])
    return None


def _has_cookie(hello):
    at = _SESSION_ID + 1 + hello[_SESSION_ID]
    return at < len(hello) and hello[at] > 0


def _told(error):
    if isinstance(error, ValueError):  # a certificate does not verify: told in several lines
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "not enough memory"
    return str(error.args[-1])
