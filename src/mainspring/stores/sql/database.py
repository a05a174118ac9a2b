"""The SQL database: SQLite by default, Postgres by configuration, behind two verbs, ``read`` and ``write``.

Work is a plain function of a connection, run in one transaction. On SQLite it runs in a thread of the database: one hop
a transaction, where an asynchronous driver hops once a statement (a settling commit took 1.7 ms of CPU that way and
takes 0.4 ms this way). On Postgres the same function runs over asyncpg. Work may be run again after a failure, so it
must change only the database.

A commit on SQLite survives the death of the process (kill -9) when ``write`` returns. It also survives the loss of
power, together with all commits before it, where ``stores.durability`` is ``power`` (the default) or ``durable=True``
is asked for; ``durable=False`` is for what may be lost with the power (leases, counts that are made again). WAL lets
several processes read and write the same file; writers queue for ``BUSY_S`` seconds.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from mainspring.core import plugins, private_files
from mainspring.core.errors import MainspringError, MissingExtra, SettingsError, StoreError
from mainspring.core.fair.threads import FairThreads
from mainspring.core.fair.turns import FairTurns
from mainspring.core.plugins import Kind, Registry, hookimpl
from mainspring.core.settings import Settings
from mainspring.stores.schema import HEAD, chain
from mainspring.stores.sql.disk_space import Ballast

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

BUSY_S = 15.0
READERS = 3
POOL = 8
FILE_NAME = "mainspring.db"
# Any number of ours: Postgres's advisory locks have one name space a database.
UPGRADE_LOCK = 0x6D61696E

_log = logging.getLogger(__name__)


UNKEPT = ("repeats", "repeat_tags")
"""Tables whose rows are in no backup."""


class Database(ABC):
    """A relational database. ``name`` is its name in errors, without credentials; ``damaged`` is the error of a read
    or write that found the file damaged, which no later success takes back (empty: none did)."""

    name: str
    damaged: str = ""

    @abstractmethod
    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction that only reads. Raises ``StoreError``."""

    @abstractmethod
    async def write(self, work: Work[T], *, durable: bool | None = None, frees: bool = False) -> T:
        """Run ``work`` in one transaction, commit and return its result; ``durable`` as in this module's words.

        Work that ``frees`` space is done on a full disk, too, and is durable.

        Any exception of ``work`` rolls the transaction back and is raised; a violated constraint is SQLAlchemy's
        ``IntegrityError``, any other failure of the database a ``StoreError``. Cancelling the caller does not split the
        transaction: it is committed completely or not at all.
        """

    @abstractmethod
    async def compact(self) -> None:
        """Drop what deleted rows left behind in the write-ahead log."""

    @abstractmethod
    async def close(self) -> None:
        """Let running transactions end, then disconnect."""

    async def upgrade(self) -> None:
        """Bring the schema to ``HEAD``. Raises ``StoreError`` for a database of a newer mainspring."""
        if await self.read(_revision) != HEAD:
            await self.write(lambda connection: _upgrade(connection, self.name), durable=True)


class Sqlite(Database):
    """One file. One thread writes, ``READERS`` read beside it, all but one of them for one tenant at most."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.name = str(path)
        self._durable = durable
        self._ballast = Ballast(path.parent)
        self._writer = _sqlite_engine(path, readers=0)
        self._reader = _sqlite_engine(path, readers=READERS)
        self._write_thread = ThreadPoolExecutor(1, "mainspring-db-write")
        self._read_threads = FairThreads(READERS, "mainspring-db-read", each=READERS - 1)

    async def read(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._read_threads, self._transact, self._reader, work, False
        )

    async def write(self, work: Work[T], *, durable: bool | None = None, frees: bool = False) -> T:
        synced = frees or (self._durable if durable is None else durable)

        def transact() -> T:
            try:
                return self._transact(self._writer, work, synced)
            except StoreError as error:
                if not (frees and _is_full(error) and self._ballast.drop()):
                    raise
                return self._transact(self._writer, work, synced)

        return await asyncio.get_running_loop().run_in_executor(self._write_thread, transact)

    async def upgrade(self) -> None:
        await super().upgrade()
        await asyncio.to_thread(self._ballast.load)

    async def compact(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._write_thread, self._truncate_log)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _transact(self, engine: sa.Engine, work: Work[T], durable: bool) -> T:
        try:
            with _explained(self.name), engine.connect() as plain:
                connection = plain.execution_options(durable=durable)
                with connection.begin():
                    return work(connection)
        except StoreError as error:
            if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                self.damaged = error.told
            raise

    def _truncate_log(self) -> None:
        with _explained(self.name):
            raw = self._writer.raw_connection()
            try:
                cursor = raw.cursor()
                busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                cursor.close()
            finally:
                raw.close()
        if busy:
            _log.warning("the write-ahead log of %s is in use and was not truncated", self.name)

    def _close(self) -> None:
        for threads in (self._read_threads, self._write_thread):
            threads.shutdown(wait=True)
        self._reader.dispose()
        self._writer.dispose()


class Postgres(Database):
    """A Postgres server through asyncpg. Concurrent writers are kept apart by row locks. One tenant has half of the
    pool's connections at most."""

    def __init__(self, url: sa.URL) -> None:
        try:
            import asyncpg  # noqa: F401
        except ImportError:
            raise MissingExtra("Postgres needs the package asyncpg", remedy="Install mainspring[postgres]") from None
        # Brings SQLAlchemy's whole ORM along, a fifth of a second that SQLite need not pay.
        from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

        self.name = url.render_as_string(hide_password=True)
        self._engine: AsyncEngine = create_async_engine(url, pool_size=POOL, pool_pre_ping=True)
        self._running: set[asyncio.Task[Any]] = set()
        self._turns = FairTurns(POOL // 2)

    async def read(self, work: Work[T]) -> T:
        return await self._shielded(work, "READ ONLY")

    async def write(self, work: Work[T], *, durable: bool | None = None, frees: bool = False) -> T:  # noqa: ARG002
        return await self._shielded(work, "READ WRITE")

    async def compact(self) -> None:
        """Nothing to do: the server's own vacuum and log recycling remove deleted data."""

    async def close(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    async def _shielded(self, work: Work[T], access: str) -> T:
        task = asyncio.ensure_future(self._transact(work, access))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _transact(self, work: Work[T], access: str) -> T:
        with _explained(self.name):
            async with self._turns.turn(), self._engine.begin() as connection:
                await connection.exec_driver_sql(f"SET TRANSACTION {access}")
                return await connection.run_sync(work)


@asynccontextmanager
async def open(settings: Settings) -> AsyncIterator[Database]:  # noqa: A001
    """The configured database at the newest schema; closed on leaving.

    Raises ``StoreError`` (damaged, unreachable, locked, of a newer schema), ``SettingsError`` (a URL of
    another kind) or ``MissingExtra``.
    """
    database = _connect(settings)
    try:
        await database.upgrade()
        yield database
    finally:
        await database.close()


async def ping(settings: Settings) -> None:
    """Look whether a database that is a server can be reached; nothing is made or changed. Raises the errors of
    ``open``."""
    url = url_of(settings)
    if url is None or (url.get_backend_name() == "sqlite" and url.database):
        return
    database = _connect(settings)
    try:
        await database.read(lambda connection: connection.execute(sa.text("SELECT 1")).scalar_one())
    finally:
        await database.close()


def lock(connection: sa.Connection, name: str) -> None:
    """Hold ``name`` until the transaction ends: others that lock it wait. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def url_of(settings: Settings) -> sa.URL | None:
    """``stores.database``; None if it is empty. Raises ``SettingsError``."""
    text = settings.stores.database
    if not text:
        return None
    try:
        return sa.make_url(text)
    except sa.exc.ArgumentError:
        # The text may hold a password: it is not repeated.
        raise SettingsError(
            "stores.database is not a database URL", remedy="Write postgresql://user:password@host/name"
        ) from None


def _connect(settings: Settings) -> Database:
    url = url_of(settings)
    durable = settings.stores.durability == "power"
    if url is None:
        return Sqlite(settings.home / FILE_NAME, durable=durable)
    return plugins.registry().make(DATABASE, url.get_backend_name(), url, durable)


DATABASE: Kind[[sa.URL, bool], Database] = Kind(
    "database", Database, ("url", "durable"), builtins=__name__, setting="stores.database"
)
"""The name of a database is the start of its URL; ``durable`` says whether written data survives a loss of power."""


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory(url, durable) -> Database``."""
    registry.add(DATABASE, "sqlite", _sqlite)
    registry.add(DATABASE, "postgresql", lambda url, _: Postgres(url.set(drivername="postgresql+asyncpg")))


def _sqlite(url: sa.URL, durable: bool) -> Database:
    if not url.database or url.database == ":memory:":
        raise SettingsError(
            "stores.database names an sqlite without a file, which cannot be used", remedy="Use sqlite:///path/to/file"
        )
    return Sqlite(Path(url.database), durable=durable)


def _sqlite_engine(path: Path, *, readers: int) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_S, "check_same_thread": False},
        pool_size=max(readers, 1),
        max_overflow=0,
    )

    @sa.event.listens_for(engine, "do_connect")
    def keep_private(*_: Any) -> None:
        private_files.file(path)

    @sa.event.listens_for(engine, "connect")
    def prepare(raw: Any, _record: Any) -> None:
        # The driver's own idea of when a transaction begins is switched off: we begin it, at once and for writing.
        raw.isolation_level = None
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        # Deleted text is overwritten in its page, not merely unlinked.
        cursor.execute("PRAGMA query_only=ON" if readers else "PRAGMA secure_delete=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if readers:
            connection.exec_driver_sql("BEGIN")
            return
        durable = connection.get_execution_options().get("durable")
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except (MainspringError, sa.exc.IntegrityError):
        raise
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, sqlite3.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        text = str(cause)
        raise StoreError(f"the database {name} failed: {text}", remedy=_remedy(text)) from error


def _code(error: StoreError) -> int:
    """SQLite's primary error code; 0 if the error is none of SQLite's."""
    cause = getattr(error.__cause__, "orig", error.__cause__)
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF if isinstance(cause, sqlite3.Error) else 0


def _is_full(error: StoreError) -> bool:
    cause = getattr(error.__cause__, "orig", error.__cause__)
    if isinstance(cause, sqlite3.Error):
        return _code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def _remedy(text: str) -> str:
    lowered = text.lower()
    if "malformed" in lowered or "not a database" in lowered or "encrypted" in lowered:
        return "The file is damaged: restore it from a backup, or move it away to start with an empty one"
    if "locked" in lowered or "busy" in lowered:
        return "Another process holds it: end that process, or try again"
    if "full" in lowered:
        return "Free some disk space"
    if "unable to open" in lowered or "readonly" in lowered or "permission" in lowered:
        return "Check that its directory exists and may be written to"
    return "Check that the database is reachable and stores.database is right"


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)


def revisions() -> frozenset[str]:
    """The schemas that this version knows how to bring to ``HEAD``."""
    from alembic.script import ScriptDirectory

    found = ScriptDirectory.from_config(chain.configuration())
    return frozenset(script.revision for script in found.walk_revisions())


def _upgrade(connection: sa.Connection, name: str) -> None:
    # Imported only when there is something to do: it costs a tenth of a second of every start otherwise.
    from alembic import command
    from alembic.script import ScriptDirectory

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
    config = chain.configuration()
    config.attributes["connection"] = connection
    found = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"the database {name} has schema {found}, which this version of mainspring ({HEAD}) does not know",
            remedy="Upgrade mainspring, or point stores.database at another database",
        )
    command.upgrade(config, "head")
