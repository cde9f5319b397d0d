"""What can go wrong with a journal: one line each, saying what to do."""

_ENOENT, _EACCES, _ENOTDIR, _ENOSPC, _EROFS, _EPERM = 2, 13, 20, 28, 30, 1


class JournalError(Exception):
    """The journal cannot do what was asked. What was durable before stays so."""

    foreseen = True


class JournalMissing(JournalError):
    """There is no such directory."""


class JournalFull(JournalError):
    """The file system has no room left, though the journal is within its limit."""


class JournalReadOnly(JournalError):
    """The file system refuses to be written."""


class JournalNewer(JournalError):
    """The directory was written by a newer version of this library."""


class JournalTaken(JournalError):
    """Somebody else writes to the same directory."""


class JournalFault(JournalError):
    """The file system or the flash below it failed."""


def translated(error, path):
    """The JournalError for an OSError, or for the UnicodeError of a name that is noise."""
    number = error.args[0] if error.args else 0
    if number in (_ENOENT, _ENOTDIR):
        return JournalMissing("%s is no directory (any more); create it and start again" % path)
    if number == _ENOSPC:
        return JournalFull("no room left for %s; delete files or lower the queue's limit" % path)
    if number in (_EROFS, _EACCES, _EPERM):
        return JournalReadOnly("%s cannot be written; mount its file system writable" % path)
    return JournalFault(
        "the file system failed at %s (error %s); check or format the flash" % (path, number)
    )
