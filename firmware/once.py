"""QoS 2 is exactly once over a power cut too: what is under way over the link `mqtt` stands in a
file beside the journal, `session`, in which readings have the journal's numbers. Big-endian:

    0   4  CRC-32 of all the rest          9   8  of readings delivered out of turn: first, last
    4   4  up to this number all is       ..      the session, 17 bytes and 8 a message
           delivered                              (lib/mqtt/resume.py)
    8   1  how many such spans follow

It is written before a publish leaves and before its PUBREL does, and names what it delivers until
the journal does so itself; also before readings under way go from RAM to flash:

    nothing under way is in flash (`spill`)                  no file; a reset ends the session
    before anything of the flash is under way, or the        the file, with what is in RAM alone
      other way round                                        too, but not by its numbers
    the backlog is empty again (`spill`)                     the journal's marks, then no file

After a reset readings of a message that the broker has taken are delivered. One that it may have
is made again of the same readings, and sent under its packet id. Of one that was in RAM alone the
packet id is released: if the broker has it, it delivers it.
"""

import os
from binascii import crc32

from .backlog import FROM_FLASH
from .log import log

_HEAD = 9


def begin(link, outbox):
    """Let the link know what the outbox still has; go on with the session that was under way."""
    if outbox.flash:
        Session(link, outbox, outbox.flash.directory + "/session").resume()
    else:
        link.has = lambda first, last: last > outbox.sampled - len(outbox)


class Session:
    def __init__(self, link, outbox, path):
        self._link = link
        self._outbox = outbox
        self._backlog = outbox.backlog
        self._path = path
        self._kept = None  # what the file holds
        self._failed = False
        link.has = outbox.has

    def resume(self):
        """At a start."""
        self._kept = data = self._read()
        if data:
            at = _HEAD + 8 * data[8]
            self._deliver(1, _number(data, 4))
            for start in range(_HEAD, at, 8):
                self._deliver(_number(data, start), _number(data, start + 4))
            if self._link.restore(data[at:]):
                for entry in self._link.engine.flight.entries:
                    self._find(entry)
        self._outbox.session = self
        self._link.keep(self.save)

    def _find(self, entry):
        """The readings of an entry of a former life."""
        from mqtt.resume import abandon, is_owed

        first, last = self._link.numbers(entry.tag)
        last = min(last, self._backlog.last)
        entry.tag = 0
        if is_owed(entry):
            first = self._backlog.undelivered(first)
            if first <= last:
                entry.tag = self._link.tag(FROM_FLASH + first, FROM_FLASH + last)
            else:
                abandon(entry)  # it was in RAM alone, or was dropped
        elif first:
            self._deliver(first, last)

    def _deliver(self, first, last):
        self._backlog.deliver(first, min(last, self._backlog.last))

    def save(self, engine=None, soon=False):
        """Write down what is under way, if it must outlive a reset. `soon`: readings under way go
        to flash now.
        """
        outbox = self._outbox
        if not outbox.flash.there() or (soon and not self._moves()):
            return
        for tag in self._link.settled:  # acknowledged, and the outbox does not know it yet
            first, last = self._link.numbers(tag)
            place = outbox.place(first, last)
            if place:
                self._deliver(place, place + last - first)
        places = []

        def tag_of(tag):
            first, last = self._link.numbers(tag)
            place = tag and outbox.place(first, last, soon)
            places.append(place)
            return self._link.tag(place, place + last - first) if place else 0

        session = self._link.state(tag_of)
        try:
            if outbox.always or len(self._backlog) or any(places) or not self._settle():
                self._write(session)
        except OSError as error:
            if not self._failed:
                what = (self._path, error.args[0])
                log("flash", "%s: error %s; a power cut may make messages come twice" % what)
            self._failed = True

    def _moves(self):
        """Is a message under way of which the flash has nothing?"""
        return any(self._outbox.place(*numbers) is None for numbers in self._link.owed)

    def whole(self, number):
        """The last number up to which readings can leave RAM so that none under way stays there in
        part.
        """
        for first, last in self._link.owed:
            if first <= number < last:
                return first - 1
        return number

    def _settle(self):
        """Do without the file; False if the flash can't be written."""
        if self._kept:
            self._outbox.flash.sync(0)
            if not self._outbox.flash.works():
                return False
            os.remove(self._path)
            self._kept = None
        return True

    def _write(self, session):
        spans = self._backlog.delivered.spans
        data = self._backlog.floor.to_bytes(4, "big") + bytes((len(spans),))
        for first, last in spans:
            data += first.to_bytes(4, "big") + last.to_bytes(4, "big")
        data += session
        data = crc32(data).to_bytes(4, "big") + data
        if data != self._kept:
            with open(self._path + ".new", "wb") as file:
                file.write(data)
            os.rename(self._path + ".new", self._path)
            self._kept = data

    def _read(self):
        """The file, None if there is none, or it is damaged, or of another journal."""
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except OSError:
            return None
        if len(data) < _HEAD or crc32(data[4:]) != _number(data, 0):
            return None
        return data if _number(data, 4) <= self._backlog.last else None


def _number(data, at):
    return int.from_bytes(data[at : at + 4], "big")
