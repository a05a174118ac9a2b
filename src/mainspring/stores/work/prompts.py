"""Prompts: immutable versions under a name, and labels that move between them with their history.

Versions are numbered from 1; a number is used once, even if its version is deleted. A label points to one version. Each
move has a revision, which lets a caller say which one it has seen. If two moves happen at once, the later one counts,
and both are in the history.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa
from cachetools import TTLCache

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound, Outdated
from mainspring.core.nearest import MAX_NAMES, nearest
from mainspring.core.types import Message
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.schema import prompt_moves as moves
from mainspring.stores.schema import prompt_versions as versions
from mainspring.stores.schema import prompts
from mainspring.stores.sql.database import Database, T, Work
from mainspring.stores.sql.pages import Page, Slice

LATEST = "latest"
"""The reserved name of the newest version; no label can have it."""
# Another process's change takes effect after at most this time.
REMEMBERED_S = 1.0
REMEMBERED = 1000
Kind = Literal["move", "rollback", "remove"]


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One version: ``messages`` are templates, ``variables`` their variables. ``author`` is a key's id."""

    name: str
    version: int
    messages: tuple[Message, ...]
    variables: tuple[str, ...]
    sha256: str
    note: str
    author: str
    created_at: float
    deleted_at: float | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A move of a label; ``version`` None: it was taken away."""

    label: str
    revision: int
    kind: Kind
    version: int | None
    note: str
    author: str
    at: float


@dataclass(frozen=True, slots=True)
class PromptInfo:
    """A prompt with what its labels point to and how many versions it has (deleted ones not counted)."""

    name: str
    created_at: float
    latest: int
    versions: int
    labels: tuple[Move, ...]


class Prompts:
    """The prompts of all tenants."""

    def __init__(self, database: Database, quotas: Quotas | None = None) -> None:
        self._database = database
        self._quotas = quotas or Quotas(database)
        self._remembered: TTLCache[tuple[str, str, str], PromptVersion] = TTLCache(REMEMBERED, REMEMBERED_S)
        self._forgotten = 0

    async def add(
        self,
        tenant: str,
        name: str,
        messages: Sequence[Message],
        variables: Sequence[str],
        *,
        note: str = "",
        author: str = "",
    ) -> tuple[PromptVersion, bool]:
        """A new version, and True; the latest one and False if it says the same."""
        text = rows.dump([{"role": each.role, "content": each.content} for each in messages])
        digest, at = rows.digest(text), time.time()

        def work(connection: sa.Connection) -> tuple[sa.Row[Any], bool]:
            _lock(connection, tenant, name)
            new = {"tenant": tenant, "name": name, "created_at": at}
            connection.execute(rows.insert_new(connection, prompts), new)
            latest = connection.execute(_living(tenant, name).order_by(versions.c.version.desc()).limit(1)).first()
            if latest is not None and latest.sha256 == digest:
                return latest, False
            self._quotas.hold(connection, tenant, "prompts")
            one = sa.and_(prompts.c.tenant == tenant, prompts.c.name == name)
            number = connection.execute(
                sa.update(prompts).where(one).values(latest=prompts.c.latest + 1).returning(prompts.c.latest)
            ).scalar_one()
            told = {"messages": text, "variables": rows.dump(list(variables)), "sha256": digest}
            row = {"tenant": tenant, "name": name, "version": number, "created_at": at, "note": note, "author": author}
            connection.execute(sa.insert(versions), row | told)
            return connection.execute(_living(tenant, name).where(versions.c.version == number)).one(), True

        found, created = await self._change(work)
        return _version(found), created

    async def find(self, tenant: str, name: str, wanted: str) -> PromptVersion:
        """The version of that number, or that the label points to. Raises ``NotFound`` and lists the existing ones."""
        place = tenant, name, wanted
        remembered = self._remembered.get(place)
        if remembered is not None:
            return remembered
        seen = self._forgotten
        found = await self._database.read(lambda connection: _find(connection, tenant, name, wanted))
        if seen == self._forgotten:
            # A value that was read before a move of this process ended must not be kept after it.
            self._remembered[place] = found
        return found

    async def get(self, tenant: str, name: str) -> PromptInfo:
        """A prompt without its texts. Raises ``NotFound``."""
        return await self._database.read(
            lambda connection: _info(connection, tenant, _prompt(connection, tenant, name))
        )

    async def page(self, tenant: str, page: Page) -> Slice[PromptInfo]:
        """The tenant's prompts that have a version, by the time at which each began."""
        some = sa.exists().where(
            versions.c.tenant == tenant, versions.c.name == prompts.c.name, versions.c.deleted_at.is_(None)
        )
        query = sa.select(prompts).where(prompts.c.tenant == tenant, some)

        def work(connection: sa.Connection) -> Slice[PromptInfo]:
            def place(cursor: str) -> pages.Place | None:
                row = connection.execute(query.where(prompts.c.name == cursor)).one_or_none()
                return None if row is None else (row.created_at, row.name)

            found = pages.read(connection, query, (prompts.c.created_at, prompts.c.name), page, place)
            return found.map(lambda row: _info(connection, tenant, row))

        return await self._database.read(work)

    async def versions(self, tenant: str, name: str) -> list[PromptVersion]:
        """All versions, the newest first; deleted ones without text. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> list[PromptVersion]:
            _prompt(connection, tenant, name)
            query = sa.select(versions).where(versions.c.tenant == tenant, versions.c.name == name)
            return [_version(row) for row in connection.execute(query.order_by(versions.c.version.desc()))]

        return await self._database.read(work)

    async def history(self, tenant: str, name: str, label: str) -> list[Move]:
        """The moves of a label, the newest first. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> list[Move]:
            _prompt(connection, tenant, name)
            return _moves(connection, tenant, name, label)

        found = await self._database.read(work)
        if not found:
            raise _no_label(name, label)
        return found[::-1]

    async def move(
        self, tenant: str, name: str, label: str, version: int, *, seen: int | None = None, note: str = "", author: str
    ) -> Move:
        """Point ``label`` to ``version``. ``seen`` is the revision that the caller takes for the current one (0: none;
        None: it does not care). Raises ``NotFound``, ``Outdated``."""

        def work(connection: sa.Connection) -> Move:
            _lock(connection, tenant, name)
            _prompt(connection, tenant, name)
            _find(connection, tenant, name, str(version))
            before = _moves(connection, tenant, name, label)
            _check(before, label, seen)
            return _moved(connection, tenant, name, label, before, "move", version, note, author)

        return await self._change(work)

    async def rollback(
        self, tenant: str, name: str, label: str, *, seen: int | None = None, note: str = "", author: str
    ) -> Move:
        """Take the last move of ``label`` back that was not taken back yet; again, the one before it, and so on.

        Raises ``NotFound``, ``Outdated``, and ``Conflict`` if there is no earlier version or it was deleted."""

        def work(connection: sa.Connection) -> Move:
            _lock(connection, tenant, name)
            _prompt(connection, tenant, name)
            before = _moves(connection, tenant, name, label)
            if not before:
                raise _no_label(name, label)
            _check(before, label, seen)
            places = _places(before)
            if len(places) < 2:
                raise Conflict(f"label {label!r} of prompt {name!r} has nowhere to go back to", param="label")
            version = places[-2]
            if version is not None:
                try:
                    _find(connection, tenant, name, str(version))
                except NotFound:
                    raise Conflict(
                        f"version {version} of prompt {name!r}, where label {label!r} was before, is deleted",
                        remedy="Move the label to another version",
                        param="label",
                    ) from None
            return _moved(connection, tenant, name, label, before, "rollback", version, note, author)

        return await self._change(work)

    async def unlabel(self, tenant: str, name: str, label: str, *, seen: int | None = None, author: str) -> Move:
        """Take ``label`` away; its history stays. Raises ``NotFound``, ``Outdated``."""

        def work(connection: sa.Connection) -> Move:
            _lock(connection, tenant, name)
            _prompt(connection, tenant, name)
            before = _moves(connection, tenant, name, label)
            if not before or before[-1].version is None:
                raise _no_label(name, label)
            _check(before, label, seen)
            return _moved(connection, tenant, name, label, before, "remove", None, "", author)

        return await self._change(work)

    async def delete(self, tenant: str, name: str, version: int | None = None) -> int:
        """Delete a version's text, or all versions; returns their number. Raises ``NotFound``, and ``Conflict`` naming
        the labels that point there."""

        def work(connection: sa.Connection) -> int:
            _lock(connection, tenant, name)
            row = _prompt(connection, tenant, name)
            if version is not None:
                _find(connection, tenant, name, str(version))
            holding = [each for each in _info(connection, tenant, row).labels if version in (None, each.version)]
            if holding:
                what = f"prompt {name!r}" if version is None else f"version {version} of prompt {name!r}"
                raise Conflict(
                    f"{what} is what {', '.join(each.label for each in holding)} points to",
                    remedy="Move these labels away, or delete them, first",
                    param="version",
                )
            mine = sa.and_(versions.c.tenant == tenant, versions.c.name == name, versions.c.deleted_at.is_(None))
            which = mine if version is None else sa.and_(mine, versions.c.version == version)
            gone = {"messages": "[]", "variables": "[]", "note": "", "deleted_at": time.time()}
            return connection.execute(sa.update(versions).where(which).values(gone)).rowcount

        return await self._change(work)

    async def _change(self, work: Work[T]) -> T:
        try:
            return await self._database.write(work, durable=True)
        finally:
            self._forgotten += 1
            self._remembered.clear()


def _lock(connection: sa.Connection, tenant: str, name: str) -> None:
    sql.lock(connection, f"prompt:{tenant}:{name}")


def _living(tenant: str, name: str) -> sa.Select[Any]:
    return sa.select(versions).where(
        versions.c.tenant == tenant, versions.c.name == name, versions.c.deleted_at.is_(None)
    )


def _prompt(connection: sa.Connection, tenant: str, name: str) -> sa.Row[Any]:
    mine = sa.select(prompts).where(prompts.c.tenant == tenant)
    found = connection.execute(mine.where(prompts.c.name == name)).one_or_none()
    if found is not None and connection.execute(_living(tenant, name).limit(1)).first() is not None:
        return found
    living = sa.select(versions.c.name).distinct().where(versions.c.tenant == tenant, versions.c.deleted_at.is_(None))
    close = nearest(name, connection.execute(living.limit(MAX_NAMES)).scalars())
    remedy = f"Did you mean {close}?" if close else "GET /v1/prompts lists them"
    raise NotFound(f"there is no prompt {name!r}", remedy=remedy, param="prompt")


def _find(connection: sa.Connection, tenant: str, name: str, wanted: str) -> PromptVersion:
    _prompt(connection, tenant, name)
    query = _living(tenant, name)
    if wanted == LATEST:
        return _version(connection.execute(query.order_by(versions.c.version.desc()).limit(1)).one())
    if wanted.isascii() and wanted.isdigit():
        number = int(wanted) if len(wanted) < 19 else 0
        row = connection.execute(query.where(versions.c.version == number)).one_or_none()
        if row is None:
            raise NotFound(
                f"prompt {name!r} has no version {wanted}",
                remedy=f"GET /v1/prompts/{name} lists them",
                param="version",
            )
        return _version(row)
    before = _moves(connection, tenant, name, wanted)
    if not before or before[-1].version is None:
        raise _no_label(name, wanted)
    return _version(connection.execute(query.where(versions.c.version == before[-1].version)).one())


def _no_label(name: str, label: str) -> NotFound:
    return NotFound(
        f"prompt {name!r} has no label {label!r}",
        remedy=f"Set it with `mainspring prompts label {name} {label} VERSION`, or name a version",
        param="version",
    )


def _moves(connection: sa.Connection, tenant: str, name: str, label: str | None = None) -> list[Move]:
    query = sa.select(moves).where(moves.c.tenant == tenant, moves.c.name == name)
    if label is not None:
        query = query.where(moves.c.label == label)
    found = connection.execute(query.order_by(moves.c.label, moves.c.revision))
    return [
        Move(row.label, row.revision, cast(Kind, row.kind), row.version, row.note, row.author, row.at) for row in found
    ]


def _check(before: Sequence[Move], label: str, seen: int | None) -> None:
    current = before[-1].revision if before else 0
    if seen is not None and seen != current:
        raise Outdated(
            f"label {label!r} is at revision {current}, not {seen}: somebody else has moved it",
            remedy="Look where it points now, and decide again",
            param="if-match",
        )


def _places(before: Sequence[Move]) -> list[int | None]:
    """The history of a label without undone moves; the last one is the current one."""
    places: list[int | None] = []
    for each in before:
        if each.kind == "rollback":
            places.pop()
        elif not places or each.version != places[-1]:
            places.append(each.version)
    return places


def _moved(
    connection: sa.Connection,
    tenant: str,
    name: str,
    label: str,
    before: Sequence[Move],
    kind: Kind,
    version: int | None,
    note: str,
    author: str,
) -> Move:
    made = Move(label, before[-1].revision + 1 if before else 1, kind, version, note, author, time.time())
    row = {"kind": kind, "version": version, "note": note, "author": author, "at": made.at}
    place = {"tenant": tenant, "name": name, "label": label, "revision": made.revision}
    connection.execute(sa.insert(moves), place | row)
    return made


def _info(connection: sa.Connection, tenant: str, row: sa.Row[Any]) -> PromptInfo:
    current = {each.label: each for each in _moves(connection, tenant, row.name)}
    count = connection.execute(
        sa.select(sa.func.count()).select_from(_living(tenant, row.name).subquery())
    ).scalar_one()
    labels = tuple(each for each in current.values() if each.version is not None)
    return PromptInfo(row.name, row.created_at, row.latest, count, labels)


def _version(row: sa.Row[Any]) -> PromptVersion:
    messages = tuple(Message(each["role"], each["content"]) for each in rows.load(row.messages))
    return PromptVersion(
        row.name,
        row.version,
        messages,
        tuple(rows.load(row.variables)),
        row.sha256,
        row.note,
        row.author,
        row.created_at,
        row.deleted_at,
    )
