"""Decodes what devices send, remembering what they say of their frames (`devices/{id}/profile`).

A frame by a profile that is not known waits for it. With a file both outlive the program: what a
broker was told was received must not be lost again.
"""

import contextlib
import json
from pathlib import Path

from frame.errors import ProtocolError
from frame.profile import Profile
from petrel.errors import Failure, explain
from petrel.readings import Undecodable, UnknownFrame, decode, device_of

MOST_PROFILES = 32  # of a device; the ones heard of last
MOST_WAITING = 1000  # frames of a device; the newest


class Waiting(Exception):
    """A frame was kept until its profile comes; `first` if none waited for that one before."""

    def __init__(self, text, first):
        super().__init__(text)
        self.first = first


class Decoder:
    """Every device's profiles and waiting frames; `path`: a file that keeps them, or None.

    dropped: frames that had to make room for newer ones.
    """

    def __init__(self, path=None):
        self._path = Path(path) if path else None
        self._profiles = {}  # device -> {mark: Profile}
        self._waiting = {}  # device -> [(mark, topic, payload)]
        self.dropped = 0
        if self._path and self._path.exists():
            self._load()

    def decode(self, topic, payload):
        """The readings in a payload of `devices/{id}/data`; raises Undecodable or Waiting."""
        device = device_of(topic)
        try:
            return decode(topic, payload, self._profiles.get(device))
        except UnknownFrame as error:
            waiting = self._waiting.setdefault(device, [])
            first = all(mark != error.mark for mark, *_ in waiting)
            waiting.append((error.mark, topic, bytes(payload)))
            if len(waiting) > MOST_WAITING:
                del waiting[0]
                self.dropped += 1
            self.keep()
            raise Waiting(f"frames wait for profile {error.mark:04x}", first) from error

    def learn(self, topic, payload):
        """Take a payload of `devices/{id}/profile`; returns the readings that waited for it.

        Call `keep` when they are where they can't be lost. Raises Undecodable.
        """
        if not payload:
            return []  # its owner has cleared the topic
        try:
            profile = Profile(payload)
        except ProtocolError as error:
            raise Undecodable(f"no frame profile: {error}") from error
        device = device_of(topic)
        known = self._profiles.setdefault(device, {})
        known.pop(profile.mark, None)
        known[profile.mark] = profile
        if len(known) > MOST_PROFILES:
            del known[next(iter(known))]
        readings, rest = [], []
        for mark, place, frame in self._waiting.get(device, ()):
            if mark != profile.mark:
                rest.append((mark, place, frame))
                continue
            try:
                readings += decode(place, frame, known)
            except Undecodable:
                self.dropped += 1  # it was damaged, or by another profile of the same mark
        self._waiting[device] = rest
        return readings

    def kept(self, device):
        """[(topic, payload)]: what a new Decoder must be told to `recall` all of a device."""
        topic = f"devices/{device}/profile"
        profiles = [(topic, known.blob) for known in self._profiles.get(device, {}).values()]
        return profiles + [message[1:] for message in self._waiting.get(device, ())]

    def recall(self, messages):
        """Take what another Decoder has `kept`."""
        for topic, payload in messages:
            with contextlib.suppress(Waiting, Undecodable):
                (self.learn if topic.endswith("/profile") else self.decode)(topic, payload)

    def keep(self):
        """Write the file, if there is one."""
        if self._path is None:
            return
        content = {
            "profiles": {device: [profile.blob.hex() for profile in known.values()]
                         for device, known in self._profiles.items()},
            "waiting": [[topic, frame.hex()] for frames in self._waiting.values()
                        for _, topic, frame in frames],
        }
        temporary = self._path.with_name(self._path.name + ".new")
        temporary.write_text(json.dumps(content))
        temporary.replace(self._path)

    def _load(self):
        try:
            content = json.loads(self._path.read_text())
            for device, blobs in content["profiles"].items():
                known = [Profile(bytes.fromhex(blob)) for blob in blobs]
                self._profiles[device] = {profile.mark: profile for profile in known}
            for topic, frame in content["waiting"]:
                payload = bytes.fromhex(frame)
                try:
                    decode(topic, payload, {})
                except UnknownFrame as error:
                    entry = (error.mark, topic, payload)
                    self._waiting.setdefault(device_of(topic), []).append(entry)
        except OSError as error:
            raise Failure(explain(error)) from error
        except (ValueError, KeyError, TypeError, AttributeError, ProtocolError) as error:
            raise Failure(f"{self._path} keeps no profiles, or is damaged ({error}); "
                          "move it away") from error
