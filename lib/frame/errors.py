"""What can be wrong with bytes from outside."""


class ProtocolError(Exception):
    """The frame or profile is damaged, cut, or not of this version."""


class UnknownProfile(ProtocolError):
    """A REF frame names a profile that is not at hand: keep the frame and ask for it."""

    def __init__(self, mark):
        super().__init__("no profile %04x at hand: keep the frame until it arrives" % mark)
        self.mark = mark
