"""A home whose database is a file, of one moment: writers wait while its files get second names."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import time
from pathlib import Path

import mainspring.stores.backup.check as check
import mainspring.stores.backup.files as files
import mainspring.stores.monitoring.spans as spans
import mainspring.stores.sql.database as sql
from mainspring.core.errors import StoreError


def freeze(place: files.BackupScope, database: Path, staged: Path) -> check.FrozenState:
    """Second names for all files, and the database, of one moment. Raises ``StoreError``."""
    with contextlib.closing(_connect(database)) as reader, contextlib.closing(_connect(database)) as writer:
        try:
            writer.execute("BEGIN IMMEDIATE")
            began = time.perf_counter()
            try:
                # The transaction's snapshot is that of its first read.
                reader.execute("BEGIN")
                schema = str(reader.execute(check.SCHEMA_VERSION).fetchone()[0])
                files.link_files(place, staged, {str(row[0]) for row in reader.execute(check.BLOBS)})
            finally:
                writer.execute("ROLLBACK")
                held_s = time.perf_counter() - began
            read, uploads = (reader.execute(query).fetchall() for query in (check.READ, check.UPLOADS))
            _copy(reader, staged / sql.FILE_NAME)
            _leave_out_repeats(staged / sql.FILE_NAME)
        except sqlite3.Error as error:
            raise StoreError(
                f"the database {database} cannot be copied: {error}", remedy="Look at it with `mainspring doctor`"
            ) from error
    copy_others(place, staged)
    return check.FrozenState(schema, read, uploads, functools.partial(check.counted_in_files, staged), held_s)


def copy_others(place: files.BackupScope, staged: Path) -> None:
    """Further SQLite files of the home."""
    for name in files.databases(place.home, place.database):
        with contextlib.closing(_connect(place.home / name)) as other:
            try:
                _copy(other, staged / name)
            except sqlite3.Error:
                # Spans may be lost: a damaged file is started again.
                if name != spans.FILE_NAME:
                    raise
                (staged / name).unlink(missing_ok=True)


def _leave_out_repeats(path: Path) -> None:
    """Remove answers under an Idempotency-Key, which would not match data changed since."""
    with contextlib.closing(sqlite3.connect(path)) as copy:
        copy.execute("PRAGMA secure_delete=ON")
        for table in sql.UNKEPT:
            # A home of an older version has none.
            if copy.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                copy.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
        copy.commit()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=sql.BUSY_S, isolation_level=None)


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """The database of the source's transaction as one file. Raises ``sqlite3.Error`` if it is damaged."""
    with contextlib.closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        problem = copy.execute("PRAGMA quick_check").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(str(problem))
