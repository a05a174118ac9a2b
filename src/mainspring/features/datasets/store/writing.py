"""Writes versions: in one transaction, or as a draft in several, which counts once it is complete.

A draft's rows have its number already, which readers do not look for before the data set says that it is the newest.
What a dead process left of a draft is removed by the next one.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, InvalidRequest, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.evaluation.example_json import plain
from mainspring.evaluation.examples import Example
from mainspring.features.datasets.settings import DataSetsSettings
from mainspring.features.datasets.store.versions import check_name, found_set, in_version, missing
from mainspring.features.datasets.tables import data_set_rows, data_set_sources, data_set_versions, data_sets
from mainspring.stores.events.contents import erased_answers
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.row_access import RowAccess

PIECE = 500
"""Examples that are written in one transaction."""
_WRAP = 1 << 256
_MOST_TAGS = 64


@dataclass(slots=True)
class Draft:
    """The next version of a data set. ``digests`` is the sum of those that came minus those that went."""

    tenant: str
    name: str
    id: str
    number: int
    before: int
    added: int = 0
    changed: int = 0
    removed: int = 0
    digests: int = 0
    shares: Mapping[str, Any] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()

    @property
    def differs(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class Writing:
    """Makes versions."""

    def __init__(self, database: Database, settings: DataSetsSettings) -> None:
        self._database = database
        self._settings = settings

    async def create(self, principal: Principal, name: str, description: str = "", kind: str = "") -> None:
        """A data set without versions, if there is none. Raises ``InvalidRequest``, ``QuotaExceeded``."""
        check_name(name, kind)
        await self._database.write(
            lambda connection: self._create(connection, principal, name, description, kind), durable=True
        )

    async def put(
        self, principal: Principal, name: str, examples: Sequence[Example], *, note: str = "", kind: str = ""
    ) -> int:
        """The next version in one transaction: the newest one with ``examples``. Its number; that of the newest if
        nothing changes."""
        check_name(name, kind)

        def work(connection: sa.Connection) -> int:
            self._create(connection, principal, name, "", kind)
            draft = self._claim(connection, principal, name)
            self._add(connection, draft, examples)
            return _finish(connection, draft, principal, note)

        return await self._database.write(work, durable=True)

    async def remove(self, principal: Principal, name: str, removed: Sequence[str], *, note: str = "") -> int:
        """The next version without these examples. Raises ``NotFound``, ``InvalidRequest`` for an unknown id."""

        def work(connection: sa.Connection) -> int:
            draft = self._claim(connection, principal, name)
            gone = _close(connection, draft, removed)
            if unknown := set(removed) - gone:
                raise InvalidRequest(f"{name} has no example {min(unknown):.130}", param="ids")
            draft.removed = len(gone)
            return _finish(connection, draft, principal, note)

        return await self._database.write(work, durable=True)

    async def tag(self, principal: Principal, name: str, tag: str, number: int | None) -> dict[str, int]:
        """Let ``tag`` name a version, or none; all tags. Raises ``NotFound``, ``QuotaExceeded``."""

        def work(connection: sa.Connection) -> dict[str, int]:
            found = found_set(connection, principal.tenant, name, lock=True)
            tags: dict[str, int] = {} if found is None else rows.load(found.tags)
            wanted = tags.get(tag, 0) if number is None else number
            if found is None or not _may_see(connection, principal, name, wanted):
                raise missing(name, number if number is not None else tag)
            tags.pop(tag, None)
            if number is not None:
                tags[tag] = number
            if len(tags) > _MOST_TAGS:
                raise QuotaExceeded(f"{name} has {_MOST_TAGS} tags, the maximum", param="tag")
            connection.execute(sa.update(data_sets).where(_is(principal.tenant, name)).values(tags=rows.dump(tags)))
            return tags

        return await self._database.write(work, durable=True)

    async def delete(self, principal: Principal, name: str) -> None:
        """Delete all versions. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            found = found_set(connection, principal.tenant, name, lock=True)
            if found is None or not _may_see(connection, principal, name, found.newest):
                raise missing(name)
            for table in (data_set_rows, data_set_sources, data_set_versions):
                mine = sa.and_(table.c.tenant == principal.tenant, table.c.name == name)
                connection.execute(sa.delete(table).where(mine))
            gone = {"deleted": True, "draft": "", "draft_until": None, "rows": 0, "tags": "{}", "description": ""}
            connection.execute(sa.update(data_sets).where(_is(principal.tenant, name)).values(**gone))

        await self._database.write(work, durable=True, frees=True)

    async def begin(self, principal: Principal, name: str, kind: str = "") -> Draft:
        """Claim the next version. Raises ``Conflict`` while another one is being made."""
        check_name(name, kind)

        def work(connection: sa.Connection) -> Draft:
            self._create(connection, principal, name, "", kind)
            return self._claim(connection, principal, name)

        return await self._database.write(work, durable=True)

    async def add(
        self, draft: Draft, examples: Sequence[Example], signatures: Mapping[str, bytes] | None = None
    ) -> None:
        """A piece of the draft. Raises ``Conflict`` if it was given up meanwhile, ``QuotaExceeded``."""

        def work(connection: sa.Connection) -> Draft:
            self._hold(connection, draft)
            copied = Draft(draft.tenant, draft.name, draft.id, draft.number, draft.before)
            self._add(connection, copied, examples, signatures or {})
            return copied

        made = await self._database.write(work)
        draft.added += made.added
        draft.changed += made.changed
        draft.digests += made.digests

    async def add_all(self, draft: Draft, examples: AsyncIterator[Example]) -> None:
        """``add`` for many, in pieces."""
        piece: list[Example] = []
        async for each in examples:
            piece.append(each)
            if len(piece) == PIECE:
                await self.add(draft, piece)
                piece = []
        if piece:
            await self.add(draft, piece)

    async def finish(self, draft: Draft, principal: Principal, note: str = "") -> int:
        """The draft counts from now on; its number, or that of the version before if nothing changed."""

        def work(connection: sa.Connection) -> int:
            self._hold(connection, draft)
            return _finish(connection, draft, principal, note)

        return await self._database.write(work, durable=True)

    async def give_up(self, draft: Draft) -> None:
        """Remove what was written of the draft."""

        def work(connection: sa.Connection) -> None:
            found = found_set(connection, draft.tenant, draft.name, lock=True)
            if found is not None and found.draft == draft.id:
                _clear(connection, draft.tenant, draft.name, found.newest)

        await self._database.write(work, durable=True, frees=True)

    def _create(self, connection: sa.Connection, principal: Principal, name: str, description: str, kind: str) -> None:
        tenant, now = principal.tenant, time.time()
        if found_set(connection, tenant, name) is not None:
            return
        mine = sa.and_(data_sets.c.tenant == tenant, data_sets.c.deleted.is_(False))
        known = connection.execute(sa.select(sa.func.count()).select_from(data_sets).where(mine)).scalar_one()
        if known >= self._settings.max_sets:
            raise QuotaExceeded(f"this tenant has {known} data sets, the maximum", remedy="Delete some", param="name")
        made = {"description": description, "kind": kind, "created_by": principal.key_id, "created_at": now}
        made |= {"updated_at": now, "deleted": False}
        new = rows.insert_new(connection, data_sets).values(tenant=tenant, name=name, **made)
        if not connection.execute(new).rowcount:
            connection.execute(sa.update(data_sets).where(_is(tenant, name)).values(**made))

    def _claim(self, connection: sa.Connection, principal: Principal, name: str) -> Draft:
        tenant, now = principal.tenant, time.time()
        found = found_set(connection, tenant, name, lock=True)
        if found is None:
            raise missing(name)
        if found.draft and (found.draft_until or 0) > now:
            raise Conflict(
                f"another version of {name} is being made", remedy="Wait for it, then try again", param="name"
            )
        if found.draft:
            _clear(connection, tenant, name, found.newest)
        if found.newest >= self._settings.max_versions:
            raise QuotaExceeded(
                f"{name} has {found.newest} versions, the maximum", remedy="Copy it to another data set", param="name"
            )
        draft = Draft(tenant, name, ids.new("draft_"), found.newest + 1, found.newest)
        if (before := _version(connection, draft, found.newest)) is not None:
            draft.shares, draft.groups = rows.load(before.shares), frozenset(rows.load(before.groups))
            if not draft.groups <= principal.groups:
                raise missing(name)
        draft.groups |= principal.groups
        claimed = {"draft": draft.id, "draft_until": now + self._settings.draft_s}
        connection.execute(sa.update(data_sets).where(_is(tenant, name)).values(**claimed))
        return draft

    def _hold(self, connection: sa.Connection, draft: Draft) -> None:
        mine = sa.and_(_is(draft.tenant, draft.name), data_sets.c.draft == draft.id)
        until = time.time() + self._settings.draft_s
        if not connection.execute(sa.update(data_sets).where(mine).values(draft_until=until)).rowcount:
            raise Conflict(f"the unfinished version of {draft.name} was given up", remedy="Begin again", param="name")

    def _add(
        self,
        connection: sa.Connection,
        draft: Draft,
        examples: Sequence[Example],
        signatures: Mapping[str, bytes] | None = None,
    ) -> None:
        latest = {each.id: each for each in examples}
        for start in range(0, len(latest), PIECE):
            self._add_piece(connection, draft, list(latest.values())[start : start + PIECE], signatures or {})

    def _add_piece(
        self, connection: sa.Connection, draft: Draft, piece: Sequence[Example], signatures: Mapping[str, bytes]
    ) -> None:
        tenant, name = draft.tenant, draft.name
        # An answer may have been erased since it was read.
        gone = erased_answers(connection, tenant, [source for each in piece for source in each.sources])
        piece = [each for each in piece if gone.isdisjoint(each.sources)]
        bodies = {each.id: rows.dump(plain(each)) for each in piece}
        digests = {each: rows.digest(body) for each, body in bodies.items()}
        query = sa.select(data_set_rows.c.id, data_set_rows.c.since, data_set_rows.c.place, data_set_rows.c.digest)
        now = query.where(in_version(tenant, name, draft.number), data_set_rows.c.id.in_(list(bodies)))
        old = {row.id: row for row in connection.execute(now)}
        wanted = [each for each in piece if each.id not in old or old[each.id].digest != digests[each.id]]
        if not wanted:
            return
        _close(connection, draft, [each.id for each in wanted if each.id in old])
        place = self._room(connection, draft, len(wanted))
        made, sources = [], []
        for each in wanted:
            place += 1
            made.append(
                _row(draft, each, bodies[each.id], digests[each.id])
                | {"place": old[each.id].place if each.id in old else place, "signature": signatures.get(each.id)}
            )
            draft.digests += int(digests[each.id], 16)
            sources += [
                {"tenant": tenant, "source": one, "name": name, "id": each.id}
                for one in dict.fromkeys((*each.sources, *each.documents))
            ]
        connection.execute(sa.insert(data_set_rows), made)
        if sources:
            connection.execute(rows.insert_new(connection, data_set_sources), sources)
        # What this draft itself has added before is still an addition.
        draft.changed += sum(each.id in old and old[each.id].since != draft.number for each in wanted)
        draft.added += sum(each.id not in old for each in wanted)

    def _room(self, connection: sa.Connection, draft: Draft, count: int) -> int:
        """Take ``count`` places; the last one that was taken before. Raises ``QuotaExceeded``."""
        counted = sa.select(sa.func.coalesce(sa.func.sum(data_sets.c.rows), 0))
        known = connection.execute(counted.where(data_sets.c.tenant == draft.tenant)).scalar_one()
        if known + count > self._settings.max_rows:
            raise QuotaExceeded(
                f"the data sets of this tenant would have more than {self._settings.max_rows} rows",
                remedy="Delete a data set",
                param="examples",
            )
        taken = {"rows": data_sets.c.rows + count, "places": data_sets.c.places + count}
        more = sa.update(data_sets).where(_is(draft.tenant, draft.name)).values(**taken)
        return int(connection.execute(more.returning(data_sets.c.places)).scalar_one()) - count


def _may_see(connection: sa.Connection, principal: Principal, name: str, number: int) -> bool:
    query = sa.select(sa.literal(1)).where(
        data_set_versions.c.tenant == principal.tenant,
        data_set_versions.c.name == name,
        data_set_versions.c.number == number,
        RowAccess(connection, principal.groups).has_all(data_set_versions.c.groups),
    )
    return connection.execute(query).first() is not None


def _row(draft: Draft, example: Example, body: str, digest: str) -> dict[str, Any]:
    return {
        "tenant": draft.tenant,
        "name": draft.name,
        "id": example.id,
        "since": draft.number,
        "until": None,
        "digest": digest,
        "body": body,
        "person": example.subject,
        "trace_id": example.trace_id,
        "cluster": example.group,
        "split": example.split,
    }


def _close(connection: sa.Connection, draft: Draft, gone: Iterable[str]) -> set[str]:
    """End the rows of these ids with the version before ``draft``; the ids that there were."""
    wanted, found = list(gone), set()
    for start in range(0, len(wanted), PIECE):
        now = sa.and_(
            in_version(draft.tenant, draft.name, draft.number), data_set_rows.c.id.in_(wanted[start : start + PIECE])
        )
        query = sa.select(data_set_rows.c.id, data_set_rows.c.since, data_set_rows.c.digest).where(now)
        known = connection.execute(query).all()
        found |= {row.id for row in known}
        draft.digests -= sum(int(row.digest, 16) for row in known)
        own = [row.id for row in known if row.since == draft.number]
        if own:
            _forget(connection, draft, own)
        connection.execute(sa.update(data_set_rows).where(now).values(until=draft.number))
    return found


def _forget(connection: sa.Connection, draft: Draft, own: Sequence[str]) -> None:
    """Rows that the draft itself has written are not in any version yet."""
    mine = sa.and_(
        data_set_rows.c.tenant == draft.tenant,
        data_set_rows.c.name == draft.name,
        data_set_rows.c.since == draft.number,
        data_set_rows.c.id.in_(own),
    )
    connection.execute(sa.delete(data_set_rows).where(mine))
    less = {"rows": data_sets.c.rows - len(own)}
    connection.execute(sa.update(data_sets).where(_is(draft.tenant, draft.name)).values(**less))


def _finish(connection: sa.Connection, draft: Draft, principal: Principal, note: str) -> int:
    now = time.time()
    if not draft.differs and draft.before:
        connection.execute(sa.update(data_sets).where(_is(draft.tenant, draft.name)).values(draft="", draft_until=None))
        return draft.before
    before = _version(connection, draft, draft.before)
    old = int(before.fingerprint, 16) if before is not None else 0
    connection.execute(
        sa.insert(data_set_versions).values(
            tenant=draft.tenant,
            name=draft.name,
            number=draft.number,
            created_at=now,
            created_by=principal.key_id,
            note=note,
            examples=(before.examples - before.erased if before is not None else 0) + draft.added - draft.removed,
            added=draft.added,
            changed=draft.changed,
            removed=draft.removed,
            fingerprint=f"{(old + draft.digests) % _WRAP:064x}",
            groups=rows.names(draft.groups),
            shares=rows.dump(dict(draft.shares)),
        )
    )
    values = {"newest": draft.number, "draft": "", "draft_until": None, "updated_at": now}
    connection.execute(sa.update(data_sets).where(_is(draft.tenant, draft.name)).values(**values))
    return draft.number


def _clear(connection: sa.Connection, tenant: str, name: str, newest: int) -> None:
    """Remove what was written behind the newest version."""
    of = sa.and_(data_set_rows.c.tenant == tenant, data_set_rows.c.name == name)
    gone = connection.execute(sa.delete(data_set_rows).where(of, data_set_rows.c.since > newest)).rowcount
    connection.execute(sa.update(data_set_rows).where(of, data_set_rows.c.until > newest).values(until=None))
    values = {"draft": "", "draft_until": None, "rows": data_sets.c.rows - gone}
    connection.execute(sa.update(data_sets).where(_is(tenant, name)).values(**values))


def _version(connection: sa.Connection, draft: Draft, number: int) -> sa.Row[Any] | None:
    of = sa.and_(
        data_set_versions.c.tenant == draft.tenant,
        data_set_versions.c.name == draft.name,
        data_set_versions.c.number == number,
    )
    return connection.execute(sa.select(data_set_versions).where(of)).one_or_none()


def _is(tenant: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(data_sets.c.tenant == tenant, data_sets.c.name == name)
