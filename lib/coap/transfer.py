"""A client's block-wise transfers (RFC 7959), loaded when there is one."""

from .blockwise import Download, Upload
from .message import Message, ProtocolError, const

_OBSERVE = const(6)
_BLOCK2 = const(23)
_REQUEST_TAG = const(292)
_INCOMPLETE = const(0x88)
_TRIES = const(3)  # a resource that changes faster than it can be read is given up


async def upload(client, request, peer, body, timeout_ms):
    """Send `body` in blocks; returns the response to the last."""
    engine = client.endpoint.engine
    response = None
    for left in range(_TRIES - 1, -1, -1):
        # It tells this body from another to the same resource (RFC 9175, section 3); the blocks
        # of the answer are asked for under it, too.
        request.options = without(request.options, _REQUEST_TAG)
        request.add(_REQUEST_TAG, engine.random(32))
        sender = Upload(body)
        while True:
            message = _like(request)
            sender.next(message)
            response = await client.exchange(message, peer, timeout_ms)
            if not sender.take(response):
                break
        if response.code != _INCOMPLETE or not left:
            break  # else the server has forgotten what it had, and we begin again
    return response


async def download(client, request, peer, response, write, timeout_ms):
    """Get the blocks behind the first `response`, whose payload becomes the whole body."""
    for left in range(_TRIES - 1, -1, -1):
        receiver = Download(write)
        try:
            block = receiver.take(response)
            while block is not None:
                more = await client.exchange(_next(request, block), peer, timeout_ms)
                block = receiver.take(more)
        except ProtocolError:
            if write or not (receiver.changed and left):
                raise
            new = await client.exchange(_like(request), peer, timeout_ms)
            response.code, response.options, response.payload = new.code, new.options, new.payload
        else:
            response.payload = receiver.body
            return


def without(options, number):
    return [option for option in options if option[0] != number]


def _like(request):
    message = Message(request.code, request.payload, request.type)
    message.options = list(request.options)
    return message


def _next(request, block):
    """Ask for a block of the response; the request's own body is not sent again."""
    message = Message(request.code, type=request.type)
    if request.code == 5:  # FETCH: its body says what is wanted (RFC 8132, section 2)
        message.payload = request.payload
    message.options = without(without(request.options, _OBSERVE), _BLOCK2)
    message.add(_BLOCK2, block)
    return message
