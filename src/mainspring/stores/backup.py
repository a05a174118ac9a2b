"""A home copied while it is used: the database, and the chunks and blobs that it names, of one moment.

For that moment, some hundredths of a second, writers of the database wait; all files that belong to it get a second
name (a hard link), which costs nothing and which no later deletion takes away. Files of chunks and blobs are never
written again once they are there, so the second names are the copy; the database is copied from the snapshot of the
same moment. Then everything is packed at leisure, with the digest of each file in a manifest at the end.

Not kept: cached answers (they would be found again beside documents that changed after the backup), clones of sources.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import mainspring.stores.cache as cache
import mainspring.stores.database as sql
import mainspring.stores.similar as similar
import mainspring.stores.spans as spans
from mainspring import __version__
from mainspring.errors import Conflict, SettingsError, StoreError
from mainspring.settings import Settings

FORMAT = 1
HEAD_NAME, MANIFEST_NAME = "head.json", "manifest.json"
STAGING = ".backup-"
ATTEMPTS = 5
Tell = Callable[[str, int, int], None]
"""Takes (stage, done, total)."""
# Derived from the rest, or of other places.
_LEFT_OUT = (cache.FILE_NAME, similar.FILE_NAME, "sources")
_SQLITE = b"SQLite format 3\x00"
_BLOCK = 1 << 20


@dataclass(slots=True)
class Report:
    """What a backup holds. ``held_s`` is for how long writers of the database waited, ``missing`` names documents
    whose chunks or text are not there: only where the caller keeps going."""

    files: int = 0
    bytes: int = 0
    documents: int = 0
    schema: str = ""
    held_s: float = 0.0
    missing: list[str] = field(default_factory=list)


def write(
    settings: Settings, out: IO[bytes], *, compress: bool = False, keep_going: bool = False, tell: Tell
) -> Report:
    """Pack the home into ``out`` as a tar file.

    Raises ``SettingsError`` for a database that is not SQLite, ``Conflict`` while another backup is made, and
    ``StoreError`` for a home that is not there, or in which chunks or texts are missing (with ``keep_going`` they are
    reported).
    """
    home, database = settings.home, path_of(settings)
    if not database.is_file():
        raise StoreError(f"there is no database {database}", remedy="Name the home with MAINSPRING_HOME")
    with _alone(home), tempfile.TemporaryDirectory(prefix=STAGING, dir=home) as folder:
        staged = Path(folder)
        report = _stage(_Place(home, database, settings.models.directory), staged, keep_going=keep_going, tell=tell)
        with tarfile.open(fileobj=out, mode="w|gz" if compress else "w|") as pack:
            _pack(pack, staged, report, tell)
    return report


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One backup of a home at a time; what a killed one left goes: its second names would keep what was deleted."""
    descriptor = os.open(home, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"another backup of {home} is being made", remedy="Wait for it") from None
        for left in home.glob(f"{STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


def path_of(settings: Settings) -> Path:
    """The file of the database. Raises ``SettingsError`` for Postgres."""
    url = sql.url_of(settings)
    if url is None:
        return settings.home / sql.FILE_NAME
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database)
    raise SettingsError(
        "stores.database is a Postgres, which is not copied this way",
        remedy="Use pg_dump together with a copy of the home; docs/backup.md has the steps",
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """What is copied; models, which may lie under the home, are not."""

    home: Path
    database: Path
    models: Path


def _stage(place: _Place, staged: Path, *, keep_going: bool, tell: Tell) -> Report:
    missing: list[str] = []
    for attempt in range(1, ATTEMPTS + 1):
        tell("Freeze", attempt, ATTEMPTS)
        for left in staged.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        report = _freeze(place, staged)
        tell("Check", 0, 0)
        missing = _missing(staged)
        if not missing:
            break
    if missing and not keep_going:
        raise StoreError(
            f"{len(missing)} documents are not whole: {'; '.join(missing[:3])}",
            remedy="Ingest them anew, or keep going without them with --keep-going",
        )
    report.missing = missing
    return report


def _freeze(place: _Place, staged: Path) -> Report:
    """Second names for all files, and the database, of one moment."""
    report, home, database = Report(), place.home, place.database
    with contextlib.closing(_connect(database)) as reader, contextlib.closing(_connect(database)) as writer:
        try:
            writer.execute("BEGIN IMMEDIATE")
            held = time.perf_counter()
            try:
                # The first read of the transaction is what its snapshot is of.
                reader.execute("BEGIN")
                report.schema = _one(reader, "SELECT version_num FROM alembic_version")
                report.documents = int(_one(reader, "SELECT count(*) FROM documents WHERE generation > 0"))
                _link_files(place, staged, _blobs(reader))
            finally:
                writer.execute("ROLLBACK")
                report.held_s = time.perf_counter() - held
            _copy(reader, staged / sql.FILE_NAME)
        except sqlite3.Error as error:
            raise StoreError(
                f"the database {database} cannot be copied: {error}", remedy="Look at it with `mainspring doctor`"
            ) from error
    for name in _others(home, database):
        with contextlib.closing(_connect(home / name)) as other:
            try:
                _copy(other, staged / name)
            except sqlite3.Error:
                # Spans may be lost, and are begun anew where they are damaged.
                if name != spans.FILE_NAME:
                    raise
                (staged / name).unlink(missing_ok=True)
    return report


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=sql.BUSY_S, isolation_level=None)


def _one(connection: sqlite3.Connection, query: str) -> str:
    row = connection.execute(query).fetchone()
    return "" if row is None else str(row[0])


def _blobs(reader: sqlite3.Connection) -> set[str]:
    """The blobs that the database names."""
    found = reader.execute("SELECT sha256 FROM files UNION SELECT text_blob FROM documents WHERE text_blob <> ''")
    return {str(row[0]) for row in found}


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """The database of the source's transaction as one file. Raises ``sqlite3.Error`` where it is damaged."""
    with contextlib.closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        problem = copy.execute("PRAGMA quick_check").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(str(problem))


def _link_files(place: _Place, staged: Path, blobs: set[str]) -> None:
    for path in _files(place):
        relative = path.relative_to(place.home)
        top = relative.parts[0]
        if top == "blobs":
            if relative.name in blobs:
                _link(path, staged / relative)
        elif path != place.database and not _is_sqlite(path):
            _link(path, staged / relative)


def _files(place: _Place) -> Iterator[Path]:
    for folder, names, files in os.walk(place.home):
        here = Path(folder)
        names[:] = [name for name in names if here / name != place.models]
        if here == place.home:
            names[:] = [name for name in names if name not in _LEFT_OUT and not name.startswith(STAGING)]
            files = [name for name in files if name not in _LEFT_OUT]
        for name in files:
            if not name.endswith(("-wal", "-shm", "-journal")):
                yield here / name


def _others(home: Path, database: Path) -> list[str]:
    """Further SQLite files directly under the home."""
    return [
        path.name
        for path in sorted(home.iterdir())
        if path.is_file() and path != database and path.name not in _LEFT_OUT and _is_sqlite(path)
    ]


def _is_sqlite(path: Path) -> bool:
    if path.suffix != ".db":
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        return False


def _link(path: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, copy)
    except FileNotFoundError:
        # Compacted away since the folder was read: whether that matters, the check tells.
        return
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(path, copy)


def _missing(staged: Path) -> list[str]:
    """The documents that are read and whose text or chunks are not in the copy."""
    with contextlib.closing(sqlite3.connect(staged / sql.FILE_NAME)) as copy:
        rows = copy.execute(
            "SELECT CASE c.stored_in WHEN '' THEN c.id ELSE c.stored_in END, d.id, d.name, d.generation, d.chunks,"
            " d.text_blob FROM documents d JOIN collections c ON c.tenant = d.tenant AND c.id = d.collection_id"
            " WHERE d.generation > 0"
        ).fetchall()
        uploads = copy.execute("SELECT name, sha256 FROM files").fetchall()
    found = [f"file {name}: its bytes" for name, sha256 in uploads if not (staged / _blob(sha256)).is_file()]
    tables: dict[str, list[tuple[str, str, int, int]]] = {}
    for table, document, name, generation, chunks, text in rows:
        if text and not (staged / _blob(text)).is_file():
            found.append(f"document {name}: its text")
        if chunks:
            tables.setdefault(table, []).append((document, name, generation, chunks))
    for table, documents in tables.items():
        counted = _counted(staged, table)
        found += [
            f"document {name}: {chunks - counted.get((document, generation), 0)} of {chunks} chunks"
            for document, name, generation, chunks in documents
            if counted.get((document, generation), 0) < chunks
        ]
    return found


def _counted(staged: Path, table: str) -> dict[tuple[str, int], int]:
    """Rows by document and generation in the copy's table; none where it cannot be read."""
    import lancedb

    counts: dict[tuple[str, int], int] = {}
    try:
        opened = lancedb.connect(str(staged / "vectors")).open_table(table)
        found = opened.search().select(["document_id", "generation"]).limit(None).to_arrow()
    except (ValueError, RuntimeError, OSError):
        return counts
    for place in zip(found["document_id"].to_pylist(), found["generation"].to_pylist(), strict=True):
        counts[place] = counts.get(place, 0) + 1
    return counts


def _blob(sha256: str) -> Path:
    return Path("blobs") / sha256[:2] / sha256


def _pack(pack: tarfile.TarFile, staged: Path, report: Report, tell: Tell) -> None:
    head = {"format": FORMAT, "mainspring": __version__, "schema": report.schema, "created_at": time.time()}
    _add_json(pack, HEAD_NAME, head)
    names = sorted(path.relative_to(staged) for path in staged.rglob("*") if path.is_file())
    digests: dict[str, Any] = {}
    for number, name in enumerate(names):
        path = staged / name
        info = tarfile.TarInfo(f"home/{name.as_posix()}")
        info.size, info.mtime, info.mode = path.stat().st_size, int(path.stat().st_mtime), 0o600
        with path.open("rb") as file:
            reading = _Digesting(file)
            pack.addfile(info, reading)
        digests[name.as_posix()] = {"bytes": info.size, "sha256": reading.digest.hexdigest()}
        report.files += 1
        report.bytes += info.size
        tell("Pack", number + 1, len(names))
    _add_json(pack, MANIFEST_NAME, {"files": digests, "documents": report.documents, "missing": report.missing})


def _add_json(pack: tarfile.TarFile, name: str, value: Any) -> None:
    data = json.dumps(value, sort_keys=True).encode()
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(data), int(time.time()), 0o600
    pack.addfile(info, io.BytesIO(data))


class _Digesting:
    """Reads a file and digests what is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, _BLOCK) if size > 0 else size)
        self.digest.update(data)
        return data
