"""SQLite as the spool and the database use it: what is committed outlives a power cut."""

import contextlib
import sqlite3


def opened(path, timeout_s=5):
    """A connection to the database at `path`, made if there is none, for one thread at a time.

    Its write-ahead log is on disk when a transaction ends. Raises sqlite3.Error.
    """
    db = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    return db


@contextlib.contextmanager
def transaction(db):
    """All of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have ended it itself
            db.execute("ROLLBACK")
        raise
