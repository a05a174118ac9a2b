"""What came in by channels and what waits to be sent, durable and each once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import RateLimited
from mainspring.core.types import TraceParent
from mainspring.features.desk.channels.settings import ChannelsSettings
from mainspring.features.desk.tables import desk_inbound as inbound
from mainspring.features.desk.tables import desk_mails as mails
from mainspring.features.desk.tables import desk_outbound as outbound
from mainspring.features.desk.tables import desk_threads as threads
from mainspring.stores.sql.database import Database

_CLAIMED_S = 180.0
_AT_ONCE = 4
_TENANT_AT_ONCE = 4
WAITS_S = (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message of a customer. ``external_id`` is the channel's; ``session_id`` that of its conversation, ``person``
    the customer's address, ``message_ids`` those by which later mail is known to belong to it."""

    channel: str
    external_id: str
    session_id: str
    person: str
    text: str
    address: Mapping[str, Any]
    message_ids: Sequence[str] = ()
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many messages may wait of one conversation (``each``) and of its tenant (``all``), and how many may come in
    a conversation within an hour (``hourly``)."""

    each: int
    all: int
    hourly: int

    @classmethod
    def of(cls, settings: ChannelsSettings) -> Bounds:
        """Those of the settings."""
        return cls(settings.waiting_each, settings.waiting, settings.messages_an_hour)


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation through a channel."""

    tenant: str
    session_id: str
    channel: str
    person: str
    address: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is worked on, or an answer that is being sent (``answer``)."""

    tenant: str
    id: str
    thread: Thread
    text: str
    attempts: int
    answer_id: str = ""
    trace_id: str = ""
    automatic: bool = False


class ChannelStore:
    """Messages of the channels of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def receive(self, tenant: str, message: Incoming, bounds: Bounds | None = None) -> bool:
        """Keep a message; durable when it returns. False: it is here already. Raises ``RateLimited``."""
        now = time.time()
        row = {"tenant": tenant, "channel": message.channel, "external_id": message.external_id}
        row |= {"session_id": message.session_id, "state": "ignored" if message.ignored else "waits"}
        row |= {"text": "" if message.ignored else cards.scrub(message.text)}
        row |= {"answer_id": ids.new("ans_"), "trace_id": TraceParent.new().trace_id}

        def work(connection: sa.Connection) -> bool:
            made = rows.insert_new(connection, inbound).values(**row, next_at=now, at=now)
            if connection.execute(made).rowcount == 0:
                return False
            if bounds is not None:
                _check_room(connection, tenant, message.session_id, bounds)
            if not message.ignored:
                self._thread(connection, tenant, message, now)
            return True

        return await self._database.write(work, durable=True)

    async def known_mail(self, tenant: str, message_ids: Sequence[str], person: str) -> str:
        """The session of a conversation that one of these belongs to, and that is with this person; empty: none."""
        mine = sa.and_(mails.c.tenant == tenant, mails.c.message_id.in_(list(message_ids)[:50]))
        joined = sa.and_(threads.c.tenant == mails.c.tenant, threads.c.session_id == mails.c.session_id)
        query = sa.select(mails.c.session_id).join(threads, joined).where(mine, threads.c.person == person)
        found = await self._database.read(lambda connection: connection.execute(query.limit(1)).scalar_one_or_none())
        return found or ""

    async def lately(self, tenant: str, channel: str, person: str, seconds: float) -> int:
        """How many messages of a person have come in by a channel in the last ``seconds``."""
        joined = sa.and_(threads.c.tenant == inbound.c.tenant, threads.c.session_id == inbound.c.session_id)
        mine = sa.and_(inbound.c.tenant == tenant, inbound.c.channel == channel, threads.c.person == person)
        query = sa.select(sa.func.count()).select_from(inbound.join(threads, joined))
        query = query.where(mine, inbound.c.at > time.time() - seconds)
        return int(await self._database.read(lambda connection: connection.execute(query).scalar_one()))

    async def dealt_with(self, tenant: str, channel: str, seconds: float, most: int) -> int:
        """How many messages that came in by a channel in the last ``seconds`` are dealt with, up to ``most``."""
        mine = sa.and_(inbound.c.tenant == tenant, inbound.c.channel == channel, inbound.c.state == "done")
        some = sa.select(sa.literal(1)).where(mine, inbound.c.at > time.time() - seconds).limit(most).subquery()
        query = sa.select(sa.func.count()).select_from(some)
        return int(await self._database.read(lambda connection: connection.execute(query).scalar_one()))

    async def thread(self, tenant: str, session_id: str) -> Thread | None:
        """The conversation that goes through a channel in this session."""
        return await self._database.read(lambda connection: thread_of(connection, tenant, session_id))

    async def claim_incoming(self, most: int = _AT_ONCE, busy: Mapping[str, int] | None = None) -> list[Claimed]:
        """Up to ``most`` messages that are due, the oldest of each conversation; nobody else takes them for a while.

        Tenants take turns: first who has the fewest in work (``busy``), and nobody has more than ``_TENANT_AT_ONCE``.
        Conversations of a tenant take turns too: first the one that has waited longest since its last turn.
        """
        due = sa.and_(inbound.c.state == "waits", inbound.c.next_at <= time.time())

        def work(connection: sa.Connection) -> list[Claimed]:
            found = []
            # Made only when something waits: in each look it would be the most that an idle server does.
            query = _in_turn(_firsts(due), busy or {}).limit(max(0, most))
            for place in connection.execute(query).all():
                one = _incoming(place.tenant, place.channel, place.external_id)
                row = connection.execute(sa.select(inbound).where(one, due).with_for_update()).one_or_none()
                if row is None:
                    # Another process was faster.
                    continue
                later = {"next_at": time.time() + _CLAIMED_S, "attempts": row.attempts + 1}
                connection.execute(sa.update(inbound).where(one).values(**later))
                thread = thread_of(connection, row.tenant, row.session_id)
                if thread is None:
                    connection.execute(sa.update(inbound).where(one).values(state="done", text=""))
                    continue
                name = row.external_id
                found.append(Claimed(row.tenant, name, thread, row.text, row.attempts + 1, row.answer_id, row.trace_id))
            return found

        return await self._claimed(inbound, sa.and_(due), work)

    async def answered(self, claimed: Claimed, text: str) -> None:
        """The message is dealt with; ``text`` is sent (empty: nothing)."""

        def work(connection: sa.Connection) -> None:
            one = _incoming(claimed.tenant, claimed.thread.channel, claimed.id)
            done = sa.update(inbound).where(one, inbound.c.state == "waits").values(state="done", text="")
            if connection.execute(done).rowcount and text:
                send(connection, claimed.thread, text, automatic=True)

        await self._database.write(work, durable=True)

    async def failed(self, claimed: Claimed, *, renew: bool = False) -> None:
        """Try a message again later; with another answer if that one has failed for good (``renew``)."""
        values: dict[str, Any] = {"next_at": time.time() + _wait(claimed.attempts)}
        if renew:
            values["answer_id"] = ids.new("ans_")
        one = _incoming(claimed.tenant, claimed.thread.channel, claimed.id)
        await self._database.write(
            lambda connection: connection.execute(sa.update(inbound).where(one).values(**values)) and None
        )

    async def claim_outgoing(self) -> list[Claimed]:
        """Answers that are due, the oldest of each conversation."""
        due = outbound.c.next_at <= time.time()

        def work(connection: sa.Connection) -> list[Claimed]:
            found = []
            earlier = outbound.alias()
            before = sa.and_(
                earlier.c.tenant == outbound.c.tenant,
                earlier.c.session_id == outbound.c.session_id,
                earlier.c.id < outbound.c.id,
            )
            query = sa.select(outbound).where(due, ~sa.select(sa.literal(1)).where(before).exists())
            for row in connection.execute(query.order_by(outbound.c.id).limit(_AT_ONCE).with_for_update()).all():
                one = sa.and_(outbound.c.tenant == row.tenant, outbound.c.id == row.id)
                thread = thread_of(connection, row.tenant, row.session_id)
                if thread is None:
                    connection.execute(sa.delete(outbound).where(one))
                    continue
                later = {"next_at": time.time() + _CLAIMED_S, "attempts": row.attempts + 1}
                connection.execute(sa.update(outbound).where(one).values(**later))
                automatic = bool(row.automatic)
                found.append(Claimed(row.tenant, row.id, thread, row.text, row.attempts + 1, automatic=automatic))
            return found

        return await self._claimed(outbound, due, work)

    async def sent(self, claimed: Claimed, message_id: str = "") -> None:
        """An answer was sent, with this Message-ID."""

        def work(connection: sa.Connection) -> None:
            one = sa.and_(outbound.c.tenant == claimed.tenant, outbound.c.id == claimed.id)
            connection.execute(sa.delete(outbound).where(one))
            if message_id:
                _mail(connection, claimed.tenant, message_id, claimed.thread.session_id)

        await self._database.write(work, durable=True)

    async def unsent(self, claimed: Claimed, *, most: int) -> bool:
        """Send an answer again later. False: it was tried ``most`` times, and is given up."""
        one = sa.and_(outbound.c.tenant == claimed.tenant, outbound.c.id == claimed.id)
        over = claimed.attempts >= most
        later = time.time() + _wait(claimed.attempts)
        change = sa.delete(outbound).where(one) if over else sa.update(outbound).where(one).values(next_at=later)
        await self._database.write(lambda connection: connection.execute(change) and None)
        return not over

    async def expire(self, days: float) -> None:
        """Forget which messages came in more than ``days`` ago."""
        old = sa.and_(inbound.c.at < time.time() - days * 86_400, inbound.c.state != "waits")
        query = sa.delete(inbound).where(old)
        await self._database.write(lambda connection: connection.execute(query) and None, frees=True)

    async def _claimed(self, table: sa.Table, due: sa.ColumnElement[bool], work: Any) -> list[Claimed]:
        waits = sa.select(sa.literal(1)).select_from(table).where(due).limit(1)
        if await self._database.read(lambda connection: connection.execute(waits).first()) is None:
            return []
        found: list[Claimed] = await self._database.write(work, durable=False)
        return found

    def _thread(self, connection: sa.Connection, tenant: str, message: Incoming, now: float) -> None:
        where = {"tenant": tenant, "session_id": message.session_id}
        values = {"address": rows.dump(cards.scrubbed(dict(message.address))), "updated_at": now}
        made = rows.insert_new(connection, threads)
        connection.execute(made.values(**where, channel=message.channel, person=message.person, **values))
        mine = sa.and_(threads.c.tenant == tenant, threads.c.session_id == message.session_id)
        connection.execute(sa.update(threads).where(mine).values(**values))
        for message_id in message.message_ids:
            _mail(connection, tenant, message_id, message.session_id)


def send(connection: sa.Connection, thread: Thread, text: str, *, automatic: bool = False) -> None:
    """Have an answer sent, in the transaction that makes it. On a web page it is read from the session."""
    if thread.channel == "web":
        return
    now = time.time()
    row = {"tenant": thread.tenant, "id": ids.new("out_"), "channel": thread.channel, "session_id": thread.session_id}
    connection.execute(sa.insert(outbound).values(**row, text=text, automatic=int(automatic), next_at=now, at=now))


def thread_of(connection: sa.Connection, tenant: str, session_id: str) -> Thread | None:
    """The conversation of a session, within a transaction."""
    mine = sa.and_(threads.c.tenant == tenant, threads.c.session_id == session_id)
    row = connection.execute(sa.select(threads).where(mine)).one_or_none()
    return None if row is None else Thread(tenant, session_id, row.channel, row.person, rows.load(row.address))


def _mail(connection: sa.Connection, tenant: str, message_id: str, session_id: str) -> None:
    row = {"tenant": tenant, "message_id": message_id, "session_id": session_id, "at": time.time()}
    connection.execute(rows.insert_new(connection, mails).values(**row))


def _incoming(tenant: str, channel: str, external_id: str) -> sa.ColumnElement[bool]:
    mine = sa.and_(inbound.c.tenant == tenant, inbound.c.channel == channel)
    return sa.and_(mine, inbound.c.external_id == external_id)


def _firsts(due: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Those of the messages that are ``due`` which are the oldest of their conversation."""
    earlier = inbound.alias()
    before = sa.and_(
        earlier.c.tenant == inbound.c.tenant,
        earlier.c.session_id == inbound.c.session_id,
        earlier.c.state == "waits",
        sa.or_(earlier.c.at < inbound.c.at, sa.and_(earlier.c.at == inbound.c.at, _behind(earlier))),
    )
    return sa.and_(due, ~sa.select(sa.literal(1)).where(before).exists())


def _in_turn(due: sa.ColumnElement[bool], busy: Mapping[str, int]) -> sa.Select[Any]:
    """The places of the messages that are ``due``, in the order of their turns."""
    past = inbound.alias()
    # What is done keeps the time of its claim.
    same = sa.and_(past.c.tenant == inbound.c.tenant, past.c.session_id == inbound.c.session_id)
    last = sa.select(sa.func.max(past.c.next_at)).where(same, past.c.state != "waits").scalar_subquery()
    served = sa.func.coalesce(last, 0.0).label("served")
    columns = inbound.c.tenant, inbound.c.channel, inbound.c.external_id, inbound.c.at
    found = sa.select(*columns, served).where(due).subquery()
    number: sa.ColumnElement[Any] = sa.func.row_number().over(
        partition_by=found.c.tenant, order_by=(found.c.served, found.c.at)
    )
    if busy:
        number += sa.case(*((found.c.tenant == name, count) for name, count in busy.items()), else_=0)
    numbered = sa.select(found, number.label("turn")).subquery()
    order = numbered.c.turn, numbered.c.served, numbered.c.at
    return sa.select(numbered).where(numbered.c.turn <= _TENANT_AT_ONCE).order_by(*order)


def _check_room(connection: sa.Connection, tenant: str, session_id: str, bounds: Bounds) -> None:
    """Raises ``RateLimited`` if more came in than may, the newest included."""
    waits = sa.and_(inbound.c.tenant == tenant, inbound.c.state == "waits")
    mine = sa.and_(inbound.c.tenant == tenant, inbound.c.session_id == session_id)
    hour = sa.and_(mine, inbound.c.at > time.time() - 3600)
    for which, most, problem in (
        (sa.and_(waits, mine), bounds.each, "messages of this conversation wait for an answer"),
        (hour, bounds.hourly, "messages came in this conversation within an hour"),
        (waits, bounds.all, "messages wait for an answer"),
    ):
        counted = sa.select(sa.literal(1)).select_from(inbound).where(which).limit(most + 1).subquery()
        if connection.execute(sa.select(sa.func.count()).select_from(counted)).scalar_one() > most:
            raise RateLimited(f"{most} {problem}", remedy="Send it again later", retry_after=5.0)


def _behind(earlier: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = earlier.c.external_id < inbound.c.external_id
    return found


def _wait(attempts: int) -> float:
    return WAITS_S[min(attempts, len(WAITS_S)) - 1]
