"""Rows of a query, each a document: an id column, text columns, and a column that grows with every change.

The database is only read: SQLite is opened read-only, other databases get read-only transactions, and only a single
SELECT is accepted.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest, MissingExtra, UpstreamError
from mainspring.rag.connect.base import Batch, Source, SyncState, split

PREFIX = "sql+"
_BATCH_ROWS = 500
_SECRET = re.compile(r"passw|pwd|secret|token|sslkey", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MAX_NAME = 80


class Sql:
    """The rows of ``query`` in the database at ``url`` (SQLAlchemy's form).

    ``text`` columns make the document (each under its name if there are several), ``id`` names it, every other
    column becomes an attribute. With ``changed``, only rows whose value there is at least the last sync's are read: a
    time or a number that the database updates with each change. Rows that vanish from the query are removed.
    ``groups_column`` has each row's access list: a list, or a text with commas or as a JSON list (empty or NULL: the
    row is for everyone who sees the collection). The password in ``url`` is used and never stored. Raises
    ``InvalidRequest``.
    """

    kind = "sql"

    def __init__(
        self,
        url: str,
        *,
        query: str,
        id: str,  # noqa: A002
        text: Sequence[str],
        changed: str = "",
        groups_column: str = "",
    ) -> None:
        try:
            self._url = sa.make_url(url)
        except sa.exc.ArgumentError:
            # It may hold a password: it is not repeated.
            raise InvalidRequest(
                "the source is not a database URL", remedy="Write sql+postgresql://user@host/name", param="source"
            ) from None
        secrets = sorted(name for name in self._url.query if _SECRET.search(name))
        if secrets:
            raise InvalidRequest(
                f"{secrets[0]} in the query of the database URL would be stored",
                remedy="Write the password before the @ of the URL: there it is used and not kept",
                param="source",
            )
        query = query.strip().rstrip(";").strip()
        if not re.match(r"(select|with)\b", query, re.IGNORECASE) or ";" in query:
            raise InvalidRequest("the query is not one SELECT", remedy="Give --query 'SELECT ...'", param="query")
        for column in (id, *text, *filter(None, [changed, groups_column])):
            if not _NAME.match(column):
                raise InvalidRequest(
                    f"{column!r} is not a column name", remedy="Give it an alias in the query", param="id"
                )
        if not text:
            raise InvalidRequest("no text columns are named", remedy="Give --text COLUMN", param="text")
        self._query = query
        self._id = id
        self._text = tuple(text)
        self._changed = changed
        self._groups = groups_column

    @property
    def address(self) -> str:
        """The URL as it may be stored: without the password."""
        return PREFIX + self._url._replace(password=None).render_as_string(hide_password=False)

    @property
    def location(self) -> str:
        return f"{self.address}#{self._query}"

    def owns(self, key: str) -> bool:
        return key.startswith(self._prefix)

    async def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        """Batches of changed rows, then removed ones. Raises ``UpstreamError``, ``InvalidRequest``."""
        engine = self._engine()
        try:
            connection = await self._do(engine.connect)
            try:
                await self._do(self._only_read, connection)
                ids = await self._do(self._ids, connection)
                result = await self._do(self._select, connection, seen.cursor)
                while found := await self._do(result.fetchmany, _BATCH_ROWS):
                    sources = [self._source(row._mapping) for row in found]
                    yield Batch(sources, cursor=self._cursor(found[-1]._mapping))
            finally:
                await self._do(connection.close)
        finally:
            await asyncio.to_thread(engine.dispose)
        there = {self._key(each) for each in ids}
        yield Batch(gone=split(seen.marks, there))

    async def _do(self, work: Any, *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments)
        except sa.exc.SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error)
            raise UpstreamError(
                f"the database {self.address} failed: {cause}",
                remedy="Check the query; passwords are not stored: if the source needs one, add it again with its URL",
            ) from None

    def require(self) -> None:
        """Raises ``MissingExtra`` if the driver of the database is not installed."""
        self._engine().dispose()

    def _engine(self) -> sa.Engine:
        arguments: dict[str, Any] = {}
        url = self._url
        if url.get_backend_name() == "sqlite":
            # The connection moves between threads, one at a time.
            arguments = {"check_same_thread": False, "uri": True}
            url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
        try:
            return sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments)
        except (ModuleNotFoundError, sa.exc.NoSuchModuleError) as error:
            raise MissingExtra(
                f"{url.drivername} needs a driver that is not installed: {error}", remedy="Install its package"
            ) from None

    def _only_read(self, connection: sa.Connection) -> None:
        if connection.dialect.name in ("postgresql", "mysql", "mariadb"):
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    def _ids(self, connection: sa.Connection) -> list[Any]:
        return list(connection.execute(sa.select(sa.column(self._id)).select_from(self._rows())).scalars())

    def _select(self, connection: sa.Connection, cursor: str) -> sa.CursorResult[Any]:
        query: sa.Select[Any] = sa.select(sa.text("*")).select_from(self._rows())
        if self._changed:
            changed: sa.ColumnClause[Any] = sa.column(self._changed)
            # Rows of the same instant may have come after the last sync: they are read again, and known by mark.
            if cursor:
                query = query.where(sa.or_(changed >= _value(cursor), changed.is_(None)))
            query = query.order_by(changed, sa.column(self._id))
        return connection.execution_options(stream_results=True).execute(query)

    def _rows(self) -> sa.TextClause:
        # A colon would begin a parameter.
        escaped = self._query.replace(":", "\\:")
        return sa.text(f"({escaped}) AS source_rows")

    def _cursor(self, row: Mapping[Any, Any]) -> str | None:
        return _cursor(row[self._changed]) if self._changed else None

    def _source(self, row: Mapping[Any, Any]) -> Source:
        needed = (self._id, *self._text, *filter(None, [self._changed, self._groups]))
        missing = [name for name in needed if name not in row]
        if missing:
            raise InvalidRequest(
                f"the query has no column {missing[0]}", remedy=f"It has {', '.join(row)}", param="query"
            )
        texts = {name: "" if row[name] is None else str(row[name]) for name in self._text}
        body = "\n\n".join(
            f"{name}: {text}" if len(texts) > 1 else text for name, text in texts.items() if text.strip()
        )
        attributes = {
            name: _plain(value)
            for name, value in row.items()
            if name not in (*self._text, self._changed, self._groups) and value is not None
        }
        changed = row[self._changed] if self._changed else None
        groups = _groups(row[self._groups], self._groups) if self._groups else None
        version = rows.dump([body, attributes, str(changed), *([] if groups is None else [sorted(groups)])])
        return Source(
            self._key(row[self._id]),
            f"{self._id} {row[self._id]}"[:_MAX_NAME] + ".txt",
            partial(str.encode, body, "utf-8", "replace"),
            attributes=attributes,
            groups=groups,
            modified_at=_seconds(changed),
            mark=rows.digest(version)[:32],
        )

    @property
    def _prefix(self) -> str:
        return f"{self.address}#{rows.digest(self._query)[:12]}/"

    def _key(self, value: Any) -> str:
        return f"{self._prefix}{value}"


def _groups(value: Any, column: str) -> frozenset[str]:
    """The access list in a row. Raises ``InvalidRequest`` if the row has none: the document might be restricted."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.lstrip().startswith("[") else value.split(",")
        except ValueError:
            value = {}
    if value is None:
        return frozenset()
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    listed = isinstance(value, Sequence) and not isinstance(value, bytes)
    if not listed or not all(isinstance(each, str | int) for each in value):
        raise InvalidRequest(
            f"the column {column} has a value that is not a list of groups",
            remedy="Let the query give a text with commas, a JSON list or an array",
            param="groups_column",
        )
    return frozenset(filter(None, (str(each).strip() for each in value)))


def _cursor(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime.datetime | datetime.date):
        return json.dumps([type(value).__name__, value.isoformat()])
    if isinstance(value, decimal.Decimal):
        return json.dumps(["Decimal", str(value)])
    return json.dumps(["plain", value])


def _value(cursor: str) -> Any:
    kind, value = json.loads(cursor)
    match kind:
        case "datetime":
            return datetime.datetime.fromisoformat(value)
        case "date":
            return datetime.date.fromisoformat(value)
        case "Decimal":
            return decimal.Decimal(value)
        case _:
            return value


def _seconds(value: Any) -> float | None:
    """Unix seconds of a time, a time's text or a number of seconds; None if it is no time."""
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
    return None


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else str(value)
