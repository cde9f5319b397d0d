"""`socket` as on the boards, around the Unix port's: ports/esp32/modsocket.c, extmod/modlwip.c.

- `setblocking(True)` erases a time-out; reads and writes without one wait for ever.
- What lwIP has taken stays in its buffer while the air carries nothing; nothing is lost or
  reported until the address changes, which ends every connection (ECONNABORTED).
- A second `connect` says EISCONN, or EALREADY; one that was refused says ENOTCONN (ESP32, whose
  lwIP has forgotten the connection by then) or EBADF (RP2).
- A UDP socket keeps four datagrams that nobody has read (LWIP_INCOMING_PACKET_QUEUE_LEN).
- There are only so many sockets: CONFIG_LWIP_MAX_SOCKETS, MEMP_NUM_TCP_PCB.
- Addresses are tuples; `getaddrinfo` blocks as long as the name server makes it.
"""

import io

import board_errno as codes  # not `errno`: the Unix port compiles its own numbers in for that
import uselect
import usocket

from host_tests.boards import air, world

AF_INET, AF_INET6, SOCK_STREAM, SOCK_DGRAM, IPPROTO_TCP, IPPROTO_UDP = 2, 10, 1, 2, 6, 17
SOL_SOCKET, SO_REUSEADDR, SO_BROADCAST = (0xFFF, 4, 0x20) if world.port == "esp32" else (1, 4, 32)
TCP_NODELAY = 1 if world.port == "esp32" else 0x40
_SEND_BUFFER = 5760 if world.port == "esp32" else 11680  # TCP_SND_BUF
_MOST = 16
_POLL, _CLOSE = 3, 4  # MP_STREAM_POLL, MP_STREAM_CLOSE: py/stream.h
_OF_LINUX = {
    11: codes.EAGAIN, 104: codes.ECONNRESET, 111: codes.ECONNREFUSED, 32: codes.ECONNRESET,
    115: codes.EINPROGRESS, 113: codes.EHOSTUNREACH, 101: codes.ENETUNREACH,
    103: codes.ECONNABORTED, 110: codes.ETIMEDOUT, 107: codes.ENOTCONN,
}
open_sockets = []
memory = True  # False: lwIP has none left, and every call that needs some says ENOMEM

_NEW, _WAITING, _CONNECTING, _CONNECTED, _REFUSED = range(5)


def getaddrinfo(host, port, af=0, kind=0, proto=0, flags=0):
    if isinstance(port, bytes):
        raise TypeError
    address = host if host.strip("0123456789.") == "" else air.names.get(host)
    if host == "" or address:
        pass
    elif not air.station.carries():
        world.sleep(air.RESOLVE_MS // air.haste)
        raise OSError(-202 if world.port == "esp32" else -6)
    else:
        address = _text(usocket.getaddrinfo(host, port)[0][-1])[0]
    name = host if world.port == "esp32" else ""
    return [(AF_INET, kind or SOCK_STREAM, 0, name, (address or "0.0.0.0", port))]


def _text(packed):
    parts = usocket.sockaddr(packed)
    return ".".join(str(b) for b in parts[1]), parts[2]


def _raise(error):
    raise OSError(_OF_LINUX.get(error.errno, error.errno))


class socket(io.IOBase):
    def __init__(self, af=AF_INET, kind=SOCK_STREAM, proto=0):
        if not memory:
            raise OSError(codes.ENOMEM)
        if len(open_sockets) >= _MOST:
            raise OSError(codes.ENFILE if world.port == "esp32" else codes.ENOMEM)
        self._udp = kind == SOCK_DGRAM
        self._sock = usocket.socket(af, kind)
        self._sock.setblocking(False)
        self._poll = uselect.poll()
        self._poll.register(self._sock)
        self._timeout = None  # ms; None: for ever
        self._held = bytearray()  # in lwIP's buffer
        self._arrived = []  # datagrams
        self._state = _NEW
        self._goal = None
        self._session = air.station.session
        open_sockets.append(self)

    # ---- set-up

    def settimeout(self, seconds):
        self._timeout = None if seconds is None else int(seconds * 1000)

    def setblocking(self, flag):
        self._timeout = None if flag else 0

    def setsockopt(self, level, option, value):
        if option == SO_REUSEADDR:
            self._sock.setsockopt(usocket.SOL_SOCKET, usocket.SO_REUSEADDR, value)

    def bind(self, address):
        self._sock.bind(usocket.getaddrinfo(*address)[0][-1])

    def connect(self, address):
        if self._udp:
            self._goal = address
            return
        self._look()
        if self._state == _CONNECTED:
            raise OSError(codes.EISCONN)
        if self._state == _REFUSED:
            raise OSError(codes.ENOTCONN if world.port == "esp32" else codes.EBADF)
        if self._state != _NEW:
            raise OSError(codes.EALREADY)
        if not memory:
            raise OSError(codes.ENOMEM)
        if not air.station.has_address():
            raise OSError(codes.EHOSTUNREACH)  # ERR_RTE: no interface is up
        self._goal = usocket.getaddrinfo(*address)[0][-1]
        self._state = _WAITING
        self._session = air.station.session
        if self._timeout == 0:
            raise OSError(codes.EINPROGRESS)
        self._wait(lambda: self._look() in (_CONNECTED, _REFUSED))
        if self._state == _REFUSED:
            raise OSError(codes.ECONNREFUSED)

    def _look(self):
        """Bring a connection that is being made up to now, and send what was held back."""
        if not air.station.carries():
            return self._state
        if self._state == _WAITING:
            self._state = _CONNECTING
            try:
                self._sock.connect(self._goal)
            except OSError as error:
                if error.errno != 115:  # EINPROGRESS on Linux
                    self._state = _REFUSED
        if self._state == _CONNECTING and self._ready(uselect.POLLOUT):
            try:
                self._sock.connect(self._goal)
                self._state = _CONNECTED
            except OSError as error:
                self._state = _CONNECTED if error.errno == 106 else _REFUSED
        if self._state == _CONNECTED and self._held:
            try:
                sent = self._sock.write(self._held)
                self._held = self._held[sent or 0 :]
            except OSError:
                pass  # the next read or write finds out
        return self._state

    def _ready(self, flags):
        for _, found in self._poll.ipoll(0):
            return found & flags
        return 0

    def _alive(self):
        if not self._udp and self._state == _CONNECTED and self._session != air.station.session:
            raise OSError(codes.ECONNABORTED)
        if self._state in (_NEW, _REFUSED) and not self._udp:
            raise OSError(codes.ENOTCONN)

    def _wait(self, ready):
        """Block as long as the time-out allows, for ever without one."""
        end = None if self._timeout is None else world.now() + self._timeout
        while not ready():
            if end is not None and world.now() >= end:
                raise OSError(codes.ETIMEDOUT if self._timeout else codes.EAGAIN)
            world.sleep(5)

    # ---- streams

    def readinto(self, buffer, length=-1):
        self._look()
        self._alive()
        if self._timeout != 0:
            self._wait(lambda: self._readable())
        if not air.station.carries():
            return None
        try:
            return self._sock.readinto(buffer)
        except OSError as error:
            _raise(error)

    def read(self, length):
        buffer = bytearray(length)
        have = 0
        while have < length:
            n = self.readinto(memoryview(buffer)[have:])
            if not n:
                break
            have += n
        return bytes(buffer[:have]) if have or n is not None else None

    def recv(self, length):
        data = bytearray(length)
        n = self.readinto(data)
        if n is None:
            raise OSError(codes.EAGAIN)
        return bytes(data[:n])

    def write(self, data, *bounds):
        self._look()
        self._alive()
        if not memory:
            raise OSError(codes.ENOMEM)
        if bounds:
            data = data[: bounds[-1]]
        room = _SEND_BUFFER - len(self._held)
        if self._timeout != 0 and not room:
            self._wait(lambda: self._look() and len(self._held) < _SEND_BUFFER)
            room = _SEND_BUFFER - len(self._held)
        if not room:
            return None
        data = memoryview(data)[:room]
        if self._held or self._state != _CONNECTED or not air.station.carries():
            self._held.extend(data)
            return len(data)
        try:
            return self._sock.write(data)
        except OSError as error:
            return _raise(error)

    def send(self, data):
        n = self.write(data)
        if n is None:
            raise OSError(codes.EAGAIN)
        return n

    def sendall(self, data):
        while data:
            data = data[self.send(data) :]

    def makefile(self, *_):
        return self

    def close(self):
        if self in open_sockets:
            open_sockets.remove(self)
            self._sock.close()

    # ---- datagrams

    def sendto(self, data, address):
        if not memory:
            raise OSError(codes.ENOMEM)
        if not air.station.has_address():
            raise OSError(codes.EHOSTUNREACH)
        if not air.station.carries():
            return len(data)
        return self._sock.sendto(data, usocket.getaddrinfo(*address)[0][-1])

    def recvfrom(self, length):
        if self._timeout != 0:
            self._wait(lambda: self._collect())
        if not self._collect():
            raise OSError(codes.EAGAIN)
        data, sender = self._arrived.pop(0)
        return data[:length], _text(sender)

    def _collect(self):
        """Take in what has arrived; lwIP throws away what finds its queue full."""
        while self._ready(uselect.POLLIN):
            datagram = self._sock.recvfrom(2048)
            if len(self._arrived) < 4 and air.station.carries():
                self._arrived.append(datagram)
        return self._arrived

    # ---- polling

    def _readable(self):
        return air.station.carries() and self._ready(uselect.POLLIN | uselect.POLLHUP)

    def ioctl(self, request, flags):
        if request == _CLOSE:
            self.close()
            return 0
        if request != _POLL:
            return -codes.EINVAL
        if self not in open_sockets:
            return 0x20  # MP_STREAM_POLL_NVAL
        if self._udp:
            return (1 if self._collect() else 0) & flags | flags & uselect.POLLOUT
        state = self._look()
        if state == _NEW:
            return flags & uselect.POLLOUT | uselect.POLLHUP
        if state == _REFUSED:
            return flags & uselect.POLLOUT | uselect.POLLERR
        if state != _CONNECTED:
            return 0
        if self._session != air.station.session:
            return flags | uselect.POLLERR
        found = flags & uselect.POLLOUT if len(self._held) < _SEND_BUFFER else 0
        if air.station.carries():
            found |= self._ready(flags | uselect.POLLHUP | uselect.POLLERR) & ~uselect.POLLOUT
        return found


error = OSError
