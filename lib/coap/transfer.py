"""A client's block-wise transfers (RFC 7959), loaded when there is one."""

from .blockwise import Download, Upload
from .message import ProtocolError, const

_FETCH = const(5)
_BLOCK2 = const(23)
_REQUEST_TAG = const(292)
_INCOMPLETE = const(0x88)
_TRIES = const(3)  # a resource that changes faster than it can be read is given up


async def upload(client, request, peer, body, timeout_ms):
    """Send `body` in blocks; returns the response to the last."""
    engine = client.endpoint.engine
    response = None
    for left in range(_TRIES - 1, -1, -1):
        # It tells this body from another to the same resource (RFC 9175, section 3).
        tag = engine.random(32)
        sender = Upload(body)
        while True:
            message = request.copy()
            message.add(_REQUEST_TAG, tag)
            sender.next(message)
            response = await client.exchange(message, peer, timeout_ms)
            if not sender.take(response):
                break
        if response.code != _INCOMPLETE or not left:  # else it has forgotten what it had
            request.add(_REQUEST_TAG, tag)  # the blocks of the answer are asked for under it, too
            break
    return response


async def download(client, request, peer, response, write, timeout_ms):
    """Get the blocks behind the first `response`, whose payload becomes the whole body."""
    for left in range(_TRIES - 1, -1, -1):
        receiver = Download(write)
        try:
            block = receiver.take(response)
            while block is not None:
                wanted = request.copy(_BLOCK2)
                wanted.add(_BLOCK2, block)
                if request.code != _FETCH:  # whose body says what is wanted (RFC 8132, section 2)
                    wanted.payload = b""
                more = await client.exchange(wanted, peer, timeout_ms)
                block = receiver.take(more)
        except ProtocolError:
            if write or not (receiver.changed and left):
                raise
            new = await client.exchange(request.copy(), peer, timeout_ms)
            response.code, response.options, response.payload = new.code, new.options, new.payload
        else:
            response.payload = receiver.body
            return
