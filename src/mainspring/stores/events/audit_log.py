"""The audit log: who did what to the system, appended to and never changed, each entry chained to the one before it.

An entry is written in the same transaction as its action, if the action is one of the database. ``verify`` finds
entries that were changed, removed, inserted or moved, and the sealed head shows whether the tail was cut off. It cannot
detect that the whole database was put back to an earlier state, unless a head was noted elsewhere
(``verify(known=...)``). It also cannot detect entries that were forged with access to the database and
``compliance.audit_key``.

No entry contains personal text: free text is stored as a keyed hash (``HashedText``), so that erasing a person
breaks no chain.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.audit_chain as chain
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.stores.events.audit_chain import (
    ITSELF,
    LOCAL,
    START,
    Actor,
    ChainReport,
    Entry,
    HashedText,
    Head,
    parse_head,
)
from mainspring.stores.schema import audit, audit_heads
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

__all__ = [
    "ITSELF",
    "LOCAL",
    "PREFIX",
    "SERVER",
    "Actor",
    "Audit",
    "ChainReport",
    "Entry",
    "HashedText",
    "Head",
    "parse_head",
]

SERVER = ""
"""The tenant of actions that belong to no tenant: those of the server itself."""
PREFIX = "aud_"
# Entries that one read of a verification takes.
_AT_ONCE = 500


class Audit:
    """The chains of all tenants. ``key`` is the part of the sealing key outside of the database; ``former`` are earlier
    ones."""

    def __init__(self, database: Database, key: str = "", former: Sequence[str] = ()) -> None:
        self._database = database
        self._key = key
        self._former = tuple(former)

    async def record(
        self,
        tenant: str,
        action: str,
        by: Actor = LOCAL,
        *,
        object: str = "",  # noqa: A002
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Append an act that is no transaction of the database itself; durable when it returns."""
        return await self._database.write(
            lambda connection: self.append(connection, tenant, action, by, object=object, details=details),
            durable=True,
        )

    def append(
        self,
        connection: sa.Connection,
        tenant: str,
        action: str,
        by: Actor = LOCAL,
        *,
        object: str = "",  # noqa: A002
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Append an act in the transaction that does it. Others that append wait for its end, so do it last."""
        head = self._step(connection, tenant)
        key = chain.key_of(self._key, head.secret)
        entry: dict[str, Any] = {
            "tenant": tenant,
            "seq": head.seq,
            "at_us": time.time_ns() // 1000,
            "action": action,
            "actor": by.actor,
            "object": object,
            "trace_id": by.trace_id,
            "details": rows.dump(chain.shown(details or {}, key)),
            "previous": head.hash,
        }
        entry = {name: rows.clean(value) if isinstance(value, str) else value for name, value in entry.items()}
        entry |= {
            "hash": (digest := chain.hash_of(entry)),
            "key_id": chain.name_of(key),
            "seal": chain.seal_of(key, digest),
        }
        connection.execute(sa.insert(audit), entry)
        self._end(connection, tenant, key, {**head._mapping, "hash": digest})
        return chain.entry_of(entry)

    async def digest(self, tenant: str, text: str) -> str:
        """The keyed hash that represents ``text`` in the tenant's entries."""

        def work(connection: sa.Connection) -> str:
            return self.hidden(connection, tenant, text)

        return await self._database.write(work)

    def hidden(self, connection: sa.Connection, tenant: str, text: str) -> str:
        """``digest``, in a transaction that writes."""
        _begin(connection, tenant)
        query = sa.select(audit_heads.c.secret).where(audit_heads.c.tenant == tenant)
        return chain.hidden_of(chain.key_of(self._key, connection.execute(query).scalar_one()), text)

    async def page(self, tenant: str, page: Page, *, action: str | None = None) -> Slice[Entry]:
        """The tenant's entries by their number. A cursor is an entry's id. Raises ``InvalidRequest``."""
        query = sa.select(audit).where(audit.c.tenant == tenant)
        if action is not None:
            query = query.where(audit.c.action == action)

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            return pages.read(connection, query, (audit.c.seq,), page, _place)

        return (await self._database.read(work)).map(lambda row: chain.entry_of(row._mapping))

    async def after(self, tenant: str, seq: int, limit: int = _AT_ONCE) -> list[Entry]:
        """The entries behind number ``seq``, in order."""
        found = await self._database.read(lambda connection: _rows(connection, tenant, seq, limit))
        return [chain.entry_of(row._mapping) for row in found]

    async def older(self, tenant: str, before: float) -> int:
        """How many entries are from before a time (Unix seconds), but the last."""
        mine = sa.and_(audit.c.tenant == tenant, audit.c.at_us < int(before * 1e6))
        query = sa.select(sa.func.count()).select_from(audit).where(mine)
        last = (await self.head(tenant)).seq
        return await self._database.read(lambda it: int(it.execute(query.where(audit.c.seq < last)).scalar_one()))

    async def latest(self, tenant: str, action: str) -> Entry | None:
        """The last entry of an action."""
        return await self._database.read(lambda connection: latest(connection, tenant, action))

    async def head(self, tenant: str) -> Head:
        """Where the chain ends now."""
        found = await self._database.read(lambda connection: _head(connection, tenant))
        return Head(tenant, 0, START) if found is None else Head(tenant, found.seq, found.hash)

    async def tenants(self) -> list[str]:
        """The tenants with a chain."""
        query = sa.select(audit_heads.c.tenant).order_by(audit_heads.c.tenant)
        return list(await self._database.read(lambda connection: connection.execute(query).scalars().all()))

    async def verify(self, tenant: str, known: Iterable[Head] = ()) -> ChainReport:
        """Read the whole chain and report its faults. ``known`` are heads that were noted before."""
        found = await self._database.read(lambda connection: _head(connection, tenant))
        if found is None:
            report = ChainReport(Head(tenant, 0, START))
            orphans = await self.after(tenant, 0, 1)
            if orphans:
                report.tell(0, "there are entries, and the head of the chain is gone")
            chain.check_known(report, {}, known)
            return report
        report = ChainReport(Head(tenant, found.seq, found.hash), trimmed=found.trimmed)
        keys = {
            chain.name_of(each): each
            for each in (chain.key_of(part, found.secret) for part in (self._key, *self._former))
        }
        if not any(chain.seal_of(key, chain.head_body(dict(found._mapping))) == found.seal for key in keys.values()):
            report.tell(0, "the head is not sealed with a known key: it was changed, or compliance.audit_key was")
        wanted = {head.seq: "" for head in known}
        last = await self._walk(found, keys, report, wanted)
        if last.seq != found.seq:
            report.tell(last.seq + 1, f"entries {last.seq + 1} to {found.seq} are missing at the end")
        elif last.hash != found.hash:
            report.tell(last.seq, "the head is not the hash of the last entry")
        await self._behind(tenant, report)
        chain.check_known(report, wanted, known)
        return report

    def trim(self, connection: sa.Connection, tenant: str, before: float) -> int:
        """Drop the entries from before a time (Unix seconds), but the last; how many. The chain continues."""
        found = _head(connection, tenant)
        if found is None:
            return 0
        recent = sa.select(sa.func.min(audit.c.seq)).where(audit.c.tenant == tenant, audit.c.at_us >= int(before * 1e6))
        first = connection.execute(recent).scalar_one_or_none()
        upto = (found.seq if first is None else first) - 1
        if upto <= found.trimmed:
            return 0
        mine = sa.and_(audit.c.tenant == tenant, audit.c.seq <= upto)
        cut = sa.select(audit.c.hash).where(audit.c.tenant == tenant, audit.c.seq == upto)
        hashed = connection.execute(cut).scalar_one()
        details = {"upto": upto, "hash": hashed, "entries": upto - found.trimmed}
        self.append(connection, tenant, "audit.trimmed", ITSELF, details=details)
        connection.execute(sa.delete(audit).where(mine))
        head = _head(connection, tenant)
        assert head is not None
        values = {**head._mapping, "trimmed": upto, "trimmed_hash": hashed}
        self._end(connection, tenant, chain.key_of(self._key, head.secret), values)
        return int(upto - found.trimmed)

    def _step(self, connection: sa.Connection, tenant: str) -> sa.Row[Any]:
        """The head with the next number, held until the transaction ends."""
        _begin(connection, tenant)
        step = sa.update(audit_heads).where(audit_heads.c.tenant == tenant).values(seq=audit_heads.c.seq + 1)
        return connection.execute(step.returning(*audit_heads.columns)).one()

    def _end(self, connection: sa.Connection, tenant: str, key: bytes, head: Mapping[str, Any]) -> None:
        values = {name: head[name] for name in ("hash", "trimmed", "trimmed_hash")}
        values["seal"] = chain.seal_of(key, chain.head_body(head))
        connection.execute(sa.update(audit_heads).where(audit_heads.c.tenant == tenant).values(**values))

    async def _walk(
        self, head: sa.Row[Any], keys: Mapping[str, bytes], report: ChainReport, wanted: dict[int, str]
    ) -> Head:
        last = Head(head.tenant, head.trimmed, head.trimmed_hash)
        seen = last.seq
        while found := await self._between(head.tenant, seen, head.seq):
            for row in found:
                if row.seq != seen + 1:
                    report.tell(seen + 1, f"entries {seen + 1} to {row.seq - 1} are missing")
                elif row.previous != last.hash:
                    report.tell(row.seq, "it does not follow the entry before it")
                chain.check(dict(row._mapping), keys, report)
                if row.seq in wanted:
                    wanted[row.seq] = row.hash
                report.entries += 1
                seen, last = row.seq, Head(head.tenant, row.seq, row.hash)
        return last

    async def _between(self, tenant: str, after: int, upto: int) -> Sequence[sa.Row[Any]]:
        return await self._database.read(lambda connection: _rows(connection, tenant, after, _AT_ONCE, upto))

    async def _behind(self, tenant: str, report: ChainReport) -> None:
        """Report entries beyond the head."""
        beyond = await self.after(tenant, report.head.seq, 1)
        # Entries appended during the walk moved the head, too.
        if beyond and (await self.head(tenant)).seq < beyond[0].seq:
            report.tell(beyond[0].seq, "it stands behind the head of the chain")


def latest(connection: sa.Connection, tenant: str, action: str) -> Entry | None:
    """The last entry of an action, in a transaction."""
    query = sa.select(audit).where(audit.c.tenant == tenant, audit.c.action == action)
    row = connection.execute(query.order_by(audit.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else chain.entry_of(row._mapping)


def _begin(connection: sa.Connection, tenant: str) -> None:
    fresh = {
        "tenant": tenant,
        "hash": START,
        "trimmed_hash": START,
        # Hashes texts and seals entries, together with ``compliance.audit_key`` if set.
        "secret": secrets.token_hex(32),
    }
    known = sa.select(audit_heads.c.tenant).where(audit_heads.c.tenant == tenant)
    if connection.execute(known).first() is None:
        connection.execute(rows.insert_new(connection, audit_heads), fresh)


def _head(connection: sa.Connection, tenant: str) -> sa.Row[Any] | None:
    found = connection.execute(sa.select(audit_heads).where(audit_heads.c.tenant == tenant)).one_or_none()
    # A chain created only for its hashes has no entries yet.
    return None if found is None or found.seq == 0 else found


def _rows(
    connection: sa.Connection, tenant: str, after: int, limit: int, upto: int | None = None
) -> Sequence[sa.Row[Any]]:
    query = sa.select(audit).where(audit.c.tenant == tenant, audit.c.seq > after)
    if upto is not None:
        query = query.where(audit.c.seq <= upto)
    return connection.execute(query.order_by(audit.c.seq).limit(limit)).all()


def _place(cursor: str) -> tuple[int] | None:
    number = cursor.removeprefix(PREFIX)
    return (int(number),) if cursor.startswith(PREFIX) and number.isdecimal() and len(number) < 16 else None
