"""Breaks the flash below a journal, and looks at what is left. Runs on MicroPython."""

# MicroPython's modules are not CPython's.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import os
import random

import vfs

from host_tests.faults import flash
from host_tests.journal.cutting import LittleFS, unmount
from journal import Journal, JournalError

PLACE = "/cut"
QUEUE = PLACE + "/queue"
LIMIT = 40960


def fresh(program=32, blocks=24):
    kind = LittleFS(program, 128 if program == 32 else 512)
    device = flash.Flash(blocks, program)
    kind.format(device)
    kind.mount(device)
    os.mkdir(QUEUE)
    return kind, device


def opened(kind, **options):
    return Journal(QUEUE, LIMIT, **dict(kind.options, **options))


def record(n):
    return (b"record %d," % n * 60)[: 60 + n % 7 * 50]


def find(image, content):
    """Every place of `content` in the image."""
    found = []
    at = image.find(content)
    while at >= 0:
        found.append(at)
        at = image.find(content, at + 1)
    return found


def flips(program):
    """Flip a bit in each record in turn (in all its copies), then bits anywhere."""
    kind, device = fresh(program)
    journal = opened(kind, stream=3)
    count = journal.append_many((n, record(n)) for n in range(1, 61))
    whole = {n: record(n) for n in range(1, count + 1)}
    unmount()
    good = bytes(device.image)
    complaints = []
    in_records = 0
    random.seed(program)
    for n, content in whole.items():
        for bit in range(2):
            image = bytearray(good)
            for at in find(good, content):
                flash.flip(image, at + random.randrange(len(content)), bit * 3)
            damaged, found = look(kind, image)
            in_records += 1
            if (damaged != 1 and n != count) or [k for k in whole if k not in found] != [n]:
                complaints.append(f"record {n}: {damaged} damaged, {len(found)} left")
    anywhere = 0
    for _ in range(400):
        image = bytearray(good)
        flash.flip(image, random.randrange(len(image)), random.randrange(8))
        try:
            _, found = look(kind, image, go_on=True)
            anywhere += len(found) == count
            if any(whole.get(n) != found[n] for n in found):
                complaints.append("a record is another")
        except (JournalError, OSError) as error:
            complaints.append(str(error))
    return {"in records": in_records, "anywhere whole": anywhere, "complaints": complaints}


def flips_in_slots(program, size, count):
    """Flip a bit in each of so many records that lie in slots. Returns how many records each flip
    took, and complaints.
    """
    kind, device = fresh(program)
    journal = opened(kind, stream=3)
    whole = {}
    for n in range(1, count + 1):
        whole[n] = (b"record %d," % n * 60)[:size]
        journal.append(whole[n])
    unmount()
    good = bytes(device.image)
    taken = []
    complaints = []
    for n, content in whole.items():
        image = bytearray(good)
        for at in find(good, content):
            flash.flip(image, at + 20, 2)
        _, found = look(kind, image, go_on=True)
        taken.append(len(whole) - len(found))
        if any(whole.get(number) != found[number] for number in found):
            complaints.append(f"record {n}: another is wrong")
    return {"taken": taken, "complaints": complaints}


def blocks_gone(program):
    """Each block in turn is erased, zeroed, or noise. Returns how often all was there, some, or
    the file system or the journal refused, and complaints.
    """
    kind, device = fresh(program)
    journal = opened(kind, stream=3)
    whole = {}
    for n in range(1, 61):
        journal.append(record(n))
        whole[n] = record(n)
    unmount()
    good = bytes(device.image)
    counts = {"all": 0, "some": 0, "refused": 0}
    complaints = []
    for block in range(device.blocks):
        for content in (flash.EMPTY, bytes(flash.BLOCK), os.urandom(flash.BLOCK)):
            image = flash.with_block(good, block, content)
            try:
                damaged, found = look(kind, image, go_on=True)
            except (JournalError, OSError):
                counts["refused"] += 1
                continue
            counts["all" if len(found) == len(whole) else "some"] += 1
            if any(whole.get(n) != found[n] for n in found):
                complaints.append(f"block {block}: a record is another")
            holes = [n for n in range(1, max(found, default=0)) if n not in found]
            if len(holes) > damaged:
                complaints.append(f"block {block}: {len(holes)} holes, {damaged} counted")
    return {"counts": counts, "complaints": complaints}


def look(kind, image, go_on=False):
    device = kind.device(image)
    device.strict = False
    kind.mount(device)
    try:
        journal = opened(kind)
        found = {n: content for _, _, n, content in journal.entries()}
        if go_on:
            number = journal.append(b"on")
            if list(journal.pending(number - 1)) != [(number, b"on")]:
                raise OSError("it does not go on")
        return journal.damaged, found
    finally:
        unmount()


def bad_blocks(how):
    """Blocks wear out one by one while the journal is used; with each the answer must be right or
    a JournalError, and after it everything that was returned is there.
    """
    complaints = []
    for block in range(2, 24):
        kind, device = fresh()
        journal = opened(kind, stream=3)
        kept = {}
        errors = 0
        for n in range(1, 60):
            if n == 20:
                setattr(device, how, (block,))
            try:
                number = journal.append(record(n), n=n)
                kept[number] = record(n)
            except JournalError:
                errors += 1
        journal = opened(kind)
        found = dict(journal.pending())
        if any(found.get(number) != kept[number] for number in kept):
            complaints.append(f"block {block}: {len(found)} of {len(kept)} left")
        if how == "worn" and errors:
            complaints.append(f"block {block}: {errors} errors")
        unmount()
    return {"complaints": complaints}


def full():
    """[the error's name, all is there, it goes on once there is room]"""
    kind, _ = fresh(blocks=16)
    journal = opened(kind, stream=3)
    kept = []
    with open(PLACE + "/other", "wb") as file:
        file.write(b"x" * 4096 * 6)
    name = None
    n = 0
    while name is None:
        n += 1
        try:
            journal.append(record(n), n=n)
            kept.append(record(n))
        except JournalError as error:
            name = type(error).__name__
    there = [r for _, r in journal.pending()] == kept
    os.remove(PLACE + "/other")
    journal.append(b"again", n=n + 1)
    resumed = [r for _, r in opened(kind).pending()] == kept + [b"again"]  # noqa: RUF005
    unmount()
    return [name, there, resumed]


def read_only(way):
    """[the error's name, all is there, it goes on once it can be written]"""
    kind, device = fresh()
    journal = opened(kind, stream=3)
    for n in range(1, 20):
        journal.append(record(n))
    system = vfs.VfsLfs2(device, progsize=32)
    unmount()
    vfs.mount(system, PLACE, readonly=way == "mounted")
    device.refusal = {"mounted": 0, "refusing": 30, "failing": 5}[way]
    name = None
    try:
        journal.append(b"no")
    except JournalError as error:
        name = type(error).__name__
    there = [r for _, r in journal.pending()] == [record(n) for n in range(1, 20)]
    device.refusal = 0
    unmount()
    kind.mount(device)
    journal.append(b"again", n=journal.n + 2)
    resumed = [r for _, r in opened(kind).pending()][-1] == b"again"
    unmount()
    return [name, there, resumed]
