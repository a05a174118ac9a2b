"""The event log: facts about requests, settled in one commit with the turns that they belong to.

The sources of an answer decide who may read the records about it, see ``EventLog.page``.

The table is also the outbox: ``pending`` lists events that no consumer has taken yet. Settlements that arrive while one
is being committed share the next commit, and so one sync of the disk; each caller returns after its own is durable
(``stores.durability`` says against what).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import sqlalchemy as sa

import mainspring.stores.events.commit_numbers as commits
import mainspring.stores.events.contents as contents
import mainspring.stores.money.budget_charges as charging
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import Conflict, NotFound, StoreError
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.calls import UNCHARGED, CallFacts
from mainspring.core.facts.operations import ErasedFacts
from mainspring.core.facts.registry import read
from mainspring.core.types import EventRecord, Principal
from mainspring.stores.events.audit_log import Actor, Audit
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.money.spending import Charge
from mainspring.stores.schema import approvals, events, keys, turns
from mainspring.stores.schema import contents as contents_table
from mainspring.stores.sessions.turns import SessionTurn, account, behind, delete_turns, turn_rows
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Place, Slice

# Settlements in one commit: more would only make the first of them wait.
BATCH = 256
VERDICT = "verdict_"
"""How the ids of verdicts on answers begin: they are deleted when the answers are erased."""
IMPORTED = "imp_"
"""How the ids of events begin that another system recorded."""


@dataclass(slots=True)
class _Settlement:
    events: list[dict[str, Any]] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[SessionTurn] = field(default_factory=list)
    contents: list[contents.Row] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    released: list[str] = field(default_factory=list)


class EventLog:
    """Facts: transactional, never sampled, each kept under its tenant."""

    def __init__(self, database: Database, audit: Audit | None = None) -> None:
        self._database = database
        self._audit = audit or Audit(database)
        self._waiting: list[tuple[_Settlement, asyncio.Future[None]]] = []
        self._committer: asyncio.Task[None] | None = None
        self.heard: list[Callable[[Sequence[EventRecord]], None]] = []
        """Called with the records that this process has written."""

    async def append(self, *records: EventRecord) -> None:
        """Write ``records`` in one commit. See ``settle``."""
        await self.settle(records)

    async def settle(
        self, records: Sequence[EventRecord], turns: Sequence[SessionTurn] = (), released: str = ""
    ) -> None:
        """Write all of it in one commit, or none; durable when it returns.

        The cost of calls is charged to their budgets in the same commit, and the reservation ``released`` is returned.
        Raises ``Conflict`` when an event id is taken already, ``TypeError`` for facts that are not JSON.
        """
        settlement = _settlement(records, turns)
        if released:
            settlement.released.append(released)
        if not (settlement.events or settlement.sessions or released):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((settlement, future))
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_waiting(), name="settle events")
        await future
        for hear in self.heard:
            hear(records)

    @staticmethod
    def within(connection: sa.Connection, records: Sequence[EventRecord], turns: Sequence[SessionTurn] = ()) -> None:
        """Write facts and turns in the transaction of what they are about. They must cost nothing."""
        _insert(connection, [_settlement(records, turns)])

    async def get(self, tenant: str, event_id: str) -> EventRecord:
        """One event. Raises ``NotFound``."""
        found = await self._select(_query().where(events.c.tenant == tenant, events.c.id == event_id))
        if not found:
            raise NotFound(f"there is no event {event_id}")
        return found[0]

    async def find(
        self,
        tenant: str,
        *,
        kind: str | None = None,
        subject: str | None = None,
        trace_id: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[EventRecord]:
        """The tenant's events that match everything given, in the order of their ids; ``after`` is the last
        id of the page before."""
        # Few events have one subject or trace. In the order of the key itself SQLite would read all of the tenant's for
        # them, to be spared sorting these.
        place = events.c.id.concat("") if subject is not None or trace_id is not None else events.c.id
        query = _query().where(events.c.tenant == tenant).order_by(place).limit(limit)
        for column, value in ((events.c.kind, kind), (events.c.subject, subject), (events.c.trace_id, trace_id)):
            if value is not None:
                query = query.where(column == value)
        if after is not None:
            query = query.where(place > after)
        return await self._select(query)

    async def page(
        self,
        tenant: str,
        page: Page,
        *,
        groups: frozenset[str],
        kind: str | None = None,
        subject: str | None = None,
        trace_id: str | None = None,
    ) -> Slice[EventRecord]:
        """The tenant's events that match everything given and that ``groups`` may see, by time.

        Events hold questions and answers, so they are as restricted as the sources of the answer. Nothing about an
        answer is shown (its calls, its retrieval and its feedback neither) when one of its recorded retrievals came
        upon a collection or a document that ``groups`` may not see. If the record does not show an answer's sources,
        the answer may repeat anything that its asker could see: it came from the cache, continues a session, was not
        completed, or its sources are gone. Then it is shown to those only who are in all groups of the key that asked.
        Raises ``InvalidRequest`` for a cursor that is no event in this list.
        """

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = _query().where(events.c.tenant == tenant, visible_events(connection, groups))
            for column, value in ((events.c.kind, kind), (events.c.subject, subject), (events.c.trace_id, trace_id)):
                if value is not None:
                    query = query.where(column == value)

            def place(cursor: str) -> Place | None:
                found = connection.execute(query.where(events.c.id == cursor)).one_or_none()
                return None if found is None else (found.at, found.id)

            # As in ``find``: no index is in this order.
            few = subject is not None or trace_id is not None
            at = events.c.at + 0.0 if few else events.c.at
            return pages.read(connection, query, (at, events.c.id), page, place)

        return (await self._database.read(work)).map(_record)

    async def answer_for(
        self, principal: Principal, answer_id: str, kind: Literal["answer", "replay"] = "answer"
    ) -> EventRecord:
        """The answer, where ``principal`` may see it: its key or one that this key has replaced asked, or it is an
        admin's, or could continue the session that the answer belongs to; and its groups may see what the answer was
        made of, as in ``page``.

        Raises ``NotFound`` if it does not exist or ``principal`` may not see it.
        """
        one = sa.and_(events.c.tenant == principal.tenant, events.c.kind == kind, events.c.id == answer_id)

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            row = connection.execute(_query().where(one, visible_events(connection, principal.groups))).one_or_none()
            if row is None or "admin" in principal.scopes:
                return row
            facts = AnswerFacts.from_json(rows.load(row.facts))
            if facts.key_id == principal.key_id:
                return row
            asking = sa.and_(keys.c.tenant == principal.tenant, keys.c.id == facts.key_id)
            asker = connection.execute(sa.select(keys.c.groups, keys.c.identity).where(asking)).one_or_none()
            if asker is None:
                return None
            replaced = (asker.identity or facts.key_id) == principal.person
            continued = facts.session_id and asker.groups == rows.names(principal.groups)
            return row if replaced or continued else None

        row = await self._database.read(work)
        if row is None:
            raise NotFound(f"no {kind} {answer_id!r} is recorded", param="answer_id")
        return _record(row)

    async def texts(self, tenant: str, digests: Sequence[str]) -> dict[str, str]:
        """The tenant's stored texts, by sha256."""
        wanted = sa.select(contents_table.c.sha256, contents_table.c.text).where(
            contents_table.c.tenant == tenant, contents_table.c.sha256.in_(sorted(set(digests)))
        )
        found = await self._database.read(lambda connection: connection.execute(wanted).all())
        return {row.sha256: row.text for row in found}

    async def erase(self, tenant: str, subject: str, *, by: Actor | None = None, compact: bool = True) -> EventRecord:
        """Delete the texts about ``subject`` and leave an ``erased`` event, which is returned.

        The texts of all events of the subject and of its traces are deleted, and the session turns of those traces.
        Facts stay, except verdicts. A text that other data also refers to stays. The bytes are overwritten on SQLite.
        The caller must rebuild derived copies (the answer cache, indexes, exports). ``by`` is the actor for the audit
        log (None: the enclosing action is already logged). Without ``compact`` the database's log still has them.
        """
        record_id, at = ids.new("event-"), time.time()

        def work(connection: sa.Connection) -> EventRecord:
            gone = _erase(connection, tenant, subject)
            record = EventRecord(record_id, at, tenant, by.trace_id if by else "", subject, gone)
            _insert(connection, [_settlement([record], ())])
            if by is not None:
                self._audit.append(connection, tenant, "answer.erased", by, object=subject, details=gone.plain())
            return record

        record = await self._database.write(work, frees=True)
        if compact:
            await self._database.compact()
        return record

    async def close(self) -> None:
        """Wait until everything that was handed in is committed."""
        while self._committer is not None:
            await asyncio.wait([self._committer])

    async def _select(self, query: sa.Select[Any]) -> list[EventRecord]:
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_record(row) for row in found]

    async def _commit_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._commit(batch)
        finally:
            self._committer = None

    async def _commit(self, batch: list[tuple[_Settlement, asyncio.Future[None]]]) -> None:
        try:
            await self._write([settlement for settlement, _ in batch])
        except Exception as error:
            if len(batch) == 1 or (isinstance(error, StoreError) and not await self._writable()):
                # Tried one by one they would wait for the same database one after the other.
                for _, future in batch:
                    _finish(future, error)
                return
            # One of them is at fault and made the others fail with it: each gets a separate commit.
            for each in batch:
                await self._commit([each])
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        else:
            for _, future in batch:
                _finish(future, None)

    async def _writable(self) -> bool:
        try:
            await self._database.write(lambda _: None, durable=False)
        except StoreError:
            return False
        return True

    async def _write(self, settlements: list[_Settlement]) -> None:
        try:
            await self._database.write(lambda connection: _insert(connection, settlements))
        except sa.exc.IntegrityError:
            raise Conflict("an event of that id is recorded already") from None


def insert(connection: sa.Connection, *records: EventRecord) -> None:
    """Write ``records`` within the caller's transaction."""
    _insert(connection, [_settlement(records, ())])


def forget_verdicts(connection: sa.Connection, about: sa.ColumnElement[bool]) -> int:
    """Delete the verdicts among these events (after ``contents.lock``); how many."""
    return connection.execute(sa.delete(events).where(about, events.c.id.startswith(VERDICT, autoescape=True))).rowcount


def _finish(future: asyncio.Future[None], error: Exception | None) -> None:
    # A cancelled caller waits for nothing; its facts are written all the same.
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _settlement(records: Iterable[EventRecord], turns: Iterable[SessionTurn]) -> _Settlement:
    settlement = _Settlement()
    for record in records:
        content_id = None
        if record.content is not None:
            # The content of an answer is JSON; other texts are stored as written.
            said = cards.scrub_json(record.content) if record.facts.EVENT in ("answer", "replay") else record.content
            text = contents.row(record.tenant, said, record.at)
            settlement.contents.append(text)
            content_id = text["sha256"]
        settlement.events.append(
            {
                "tenant": record.tenant,
                "id": record.id,
                "at": record.at,
                "trace_id": record.trace_id,
                "parent_id": record.parent_id,
                "kind": record.facts.EVENT,
                "subject": record.subject,
                "version": record.version,
                "consent": record.consent,
                "retention": record.retention,
                "facts": cards.scrub_json(rows.dump(record.facts.plain())),
                "content_id": content_id,
                "person": record.person,
            }
        )
        if isinstance(record.facts, CallFacts) and record.facts.charged != UNCHARGED:
            settlement.charges.append(charging.charge(record, record.facts))
    for turn in turns:
        messages, texts = turn_rows(turn)
        settlement.turns += messages
        settlement.sessions.append(turn)
        settlement.contents += texts
    return settlement


def _insert(connection: sa.Connection, settlements: list[_Settlement]) -> None:
    contents.insert(connection, (row for each in settlements for row in each.contents))
    if new := [row for each in settlements for row in each.events]:
        connection.execute(commits.numbered(connection, new), new)
    if new := [row for each in settlements for row in each.turns]:
        behind(connection, new)
        connection.execute(sa.insert(turns), new)
    if settled := [turn for each in settlements for turn in each.sessions]:
        account(connection, settled)
    charges = [charge for each in settlements for charge in each.charges]
    released = [reservation for each in settlements for reservation in each.released]
    notes = charging.settle(connection, charges, released) if charges or released else []
    if notes:
        told = _settlement(notes, ()).events
        connection.execute(commits.numbered(connection, told), told)


def _erase(connection: sa.Connection, tenant: str, subject: str) -> ErasedFacts:
    contents.lock(connection)
    mine = sa.and_(events.c.tenant == tenant, events.c.subject == subject)
    traces = sa.select(events.c.trace_id).where(mine, events.c.trace_id != "")
    named = sa.or_(events.c.subject == subject, events.c.trace_id.in_(traces))
    # A replayed request repeats the original.
    repeats = sa.and_(events.c.kind == "replay", events.c.parent_id == subject)
    touched = sa.and_(events.c.tenant == tenant, sa.or_(named, repeats))
    messages = delete_turns(connection, tenant, sa.and_(turns.c.tenant == tenant, turns.c.trace_id.in_(traces)))
    spoken = sa.and_(touched, events.c.content_id.is_not(None))
    texts = connection.execute(sa.select(events.c.content_id).where(spoken)).scalars().all()
    connection.execute(sa.update(events).where(spoken).values(content_id=None))
    forget_verdicts(connection, touched)
    # The arguments of a call that still waits for approval: it will be handed out empty.
    waits = approvals.c.status.in_(("pending", "approved"))
    waiting = sa.and_(approvals.c.tenant == tenant, approvals.c.trace_id.in_(traces), waits)
    connection.execute(sa.update(approvals).where(waiting).values(arguments="", status="expired"))
    dropped = contents.drop_unreferenced(connection, tenant, cast(Sequence[str], texts))
    return ErasedFacts(events=len(texts), messages=messages, texts=dropped)


def _query() -> sa.Select[Any]:
    return sa.select(events, contents_table.c.text).outerjoin(
        contents_table,
        sa.and_(contents_table.c.tenant == events.c.tenant, contents_table.c.sha256 == events.c.content_id),
    )


def _record(row: sa.Row[Any]) -> EventRecord:
    return EventRecord(
        id=row.id,
        at=row.at,
        tenant=row.tenant,
        trace_id=row.trace_id,
        subject=row.subject,
        facts=read(row.kind, rows.load(row.facts)),
        content=row.text,
        parent_id=row.parent_id,
        version=row.version,
        consent=row.consent,
        retention=row.retention,
        person=row.person,
    )
