"""What MicroPython's own decoder lets pass. Imported with the first text that is not ASCII."""


def strict(chars, length):
    """Whether `chars`, decoded from `length` bytes, hold no surrogate, nothing beyond U+10FFFF and
    no character in more bytes than it takes (Unicode, table 3-7).
    """
    shortest = 0
    for char in chars:
        code = ord(char)
        if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            return False
        shortest += 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
    return shortest == length
