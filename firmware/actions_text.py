"""Text that no UTF-8 can hold, made whole. Imported when some arrives."""


def whole(text):
    """`text` with surrogate pairs made one character: what JSON writes as `\\ud83d\\ude00`,
    MicroPython reads as two. None if there is half of a pair.
    """
    made = ""
    high = 0  # the first half of a pair
    for c in text:
        code = ord(c)
        if (code & 0xFC00 == 0xDC00) != bool(high):
            return None
        if high:
            c = chr(0x10000 + ((high & 0x3FF) << 10) + (code & 0x3FF))
            high = 0
        elif code & 0xFC00 == 0xD800:
            c = ""
            high = code
        made += c
    return None if high else made
