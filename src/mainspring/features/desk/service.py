"""The desk: opens cases for agents, takes what customers say to people, and people's answers to customers."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from cachetools import TTLCache

from mainspring.agents.handover import NewCase, OpenedCase
from mainspring.agents.tools.base import ToolContext
from mainspring.core.errors import MainspringError
from mainspring.core.facts.cases import CaseFacts
from mainspring.core.types import ChatRequest, Context, EventRecord, Principal
from mainspring.feature import Rooms
from mainspring.features.desk.assist.assist import AgentAssist
from mainspring.features.desk.channels.service import Channels, holder
from mainspring.features.desk.channels.settings import ChannelsSettings
from mainspring.features.desk.channels.store import send, thread_of
from mainspring.features.desk.metrics import DeskMetrics
from mainspring.features.desk.pulse import Pulse
from mainspring.features.desk.settings import DeskSettings
from mainspring.features.desk.store.assists import Assistance, decide
from mainspring.features.desk.store.cases import CaseStore, Origin
from mainspring.features.desk.store.desk_persons import DeskPeople, DeskPerson
from mainspring.features.desk.store.holders import KeyHolders
from mainspring.features.desk.store.records import Author, Case, CaseMessage
from mainspring.features.desk.store.work import CaseChange, CaseWork
from mainspring.features.desk.transcripts import TranscriptLine, transcript
from mainspring.http.access import acting
from mainspring.serving.memory.attendance import Attended
from mainspring.serving.memory.layer import stored_name

_log = logging.getLogger(__name__)
# How long a person who reads a case again leaves no further line in the audit log, in seconds.
_READ_S, _READERS = 600.0, 10_000
# Watchers look this often whether another process changed something, in seconds.
LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class View:
    """A case with its conversation."""

    case: Case
    lines: Sequence[TranscriptLine]
    assistance: Assistance | None = None


class SupportDesk:
    """Implements ``agents.handover.Desk`` and ``serving.memory.attendance.Attendant``."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(DeskSettings)
        self.store = CaseStore(rooms.stores.database, self.settings)
        self.work = CaseWork(rooms.stores.database, self.store, rooms.stores.audit)
        self.people = DeskPeople(rooms.stores.database)
        self.pulse = Pulse()
        self.metrics = DeskMetrics(rooms.telemetry.metrics.registry)
        self._rooms = rooms
        fixed = (rooms.local, holder(rooms.settings.section(ChannelsSettings)))
        holders = KeyHolders(rooms.stores.database, rooms.stores.keys, fixed)
        self.assist = AgentAssist(rooms, self.settings, self.store, self.pulse, holders)
        self.channels = Channels(rooms, self, holders)
        self._opening: TTLCache[str, Case] = TTLCache(_READERS, _READ_S)
        self._read: TTLCache[tuple[str, str], bool] = TTLCache(_READERS, _READ_S)
        self._standing: TTLCache[tuple[str, frozenset[str], int], asyncio.Task[Any]] = TTLCache(_READERS, LOOK_S / 2)

    async def open_case(self, case: NewCase, context: ToolContext) -> OpenedCase:
        """See ``Desk``."""
        asking = context.context
        origin = Origin(
            context.key,
            context.session_id or "",
            stored_name(asking.principal, context.session_id) if context.session_id else "",
            person=context.user,
            agent=context.agent,
            run_id=context.run_id,
            trace_id=asking.trace.trace_id,
            channel="chat",
        )
        return _opened(await self.open(case, asking, origin))

    async def find_case(self, number: str, customer: str, context: ToolContext) -> OpenedCase:
        """See ``Desk``."""
        return _opened(await self.store.of_customer(context.context.principal, number, customer))

    async def open(self, case: NewCase, context: Context, origin: Origin) -> Case:
        """Open a case, once for each ``origin.key``. Raises ``InvalidRequest`` and ``QuotaExceeded``."""
        if origin.session:
            thread = await self.channels.store.thread(context.principal.tenant, origin.session_id)
            if thread is not None and self.channels.owns(thread, origin.session):
                origin = dataclasses.replace(origin, channel=thread.channel.partition(":")[0])
        made, event = await self.store.open(context.principal, case, origin)
        if event is not None:
            self._tell(made, [event])
            if made.session and made.trace_id:
                # The turn in which it was opened is no part of the session yet: see ``heard``.
                self._opening[made.trace_id] = made
            else:
                self.assist.want(made)
        return made

    def heard(self, records: Sequence[EventRecord]) -> None:
        """Hear of what this process has written: once the answer is there in which a case was opened, it is known what
        was said."""
        for each in records:
            if each.kind == "answer" and (case := self._opening.pop(each.trace_id, None)) is not None:
                self.assist.want(case)

    async def take(self, request: ChatRequest, context: Context) -> Attended | None:
        """See ``Attendant``."""
        assert request.session_id is not None
        case = await self.store.attended(context.principal.tenant, stored_name(context.principal, request.session_id))
        if case is None:
            return None
        new = context.settlement.turn or request.messages
        text = "\n\n".join(each.content for each in new if each.role == "user" and each.content.strip())
        if text:
            self.assist.want(self._did(await self.work.asked(case, text, context.trace.trace_id)).case)
        return Attended(self.settings.notice.replace("{number}", case.number), case.number)

    async def for_people(
        self, context: Context, session_id: str, subject: str, reason: str, body: str, person: str, key: str
    ) -> None:
        """See ``Opens``."""
        session = stored_name(context.principal, session_id)
        attended = await self.store.attended(context.principal.tenant, session)
        if attended is None:
            new = NewCase("escalation", subject, reason, body=body)
            await self.open(new, context, Origin(key, session_id, session, person=person))
        elif body and not await self.store.opened_by(attended, key):
            self.assist.want(self._did(await self.work.asked(attended, body, context.trace.trace_id)).case)

    async def first_message(self, context: Context, number: str) -> bool:
        """See ``Opens``."""
        _, said = await self.store.get(context.principal, number)
        return sum(each.author == "customer" for each in said) <= 1

    async def view(self, context: Context, wanted: str) -> View:
        """A case with its conversation, for somebody who works on it: the audit log says who read it. Raises
        ``NotFound``."""
        case, said = await self.store.get(context.principal, wanted)
        place = context.principal.person, case.id
        if place not in self._read:
            await self._rooms.stores.audit.record(case.tenant, "desk.case_read", acting(context), object=case.id)
            self._read[place] = True
        return await self.seen(case, said)

    async def seen(self, case: Case, said: Sequence[CaseMessage]) -> View:
        """A case with its conversation and what assists with it. What is missing of that is made."""
        lines = await transcript(self._rooms.stores.sessions, case, said)
        made = await self.assist.store.get(case)
        basis = next((each.id for each in reversed(said) if each.author == "customer"), "")
        if made is None or made.basis != basis or made.preparing:
            # Who looks again while it is made must not have it made again: the suggestions would be others each time.
            self.assist.want_once(case)
        return View(case, lines, made)

    async def watch(self, context: Context, wanted: str) -> AsyncGenerator[View, None]:
        """The case now, and each time that something of it changes. Raises ``NotFound``."""
        shown: tuple[int, float] | None = None
        tenant = context.principal.tenant
        beats = self.pulse.beats(tenant)
        view = await self.view(context, wanted)
        while True:
            now = view.case.version, 0.0 if view.assistance is None else view.assistance.made_at
            if now != shown:
                yield view
            shown = now
            await self.pulse.wait(tenant, beats, LOOK_S)
            beats = self.pulse.beats(tenant)
            view = await self.seen(*await self.store.get(context.principal, wanted))

    async def standing(self, context: Context) -> AsyncGenerator[list[tuple[str, str, int, int]], None]:
        """The counts of the queues now, and each time that something in them changes."""
        tenant = context.principal.tenant
        shown: tuple[object, int] | None = None
        while True:
            beats = self.pulse.beats(tenant)
            now = await self._stands(context.principal, beats)
            if now != shown:
                yield now[0]
            shown = now
            await self.pulse.wait(tenant, beats, LOOK_S)

    async def _stands(self, principal: Principal, beats: int) -> tuple[list[tuple[str, str, int, int]], int]:
        """The counts and the changes: looked up once for all who watch with the same groups."""
        place = principal.tenant, principal.groups, beats
        looking = self._standing.get(place)
        if looking is None:
            looking = self._standing[place] = asyncio.create_task(self._look(principal), name="desk: standing")
        return await asyncio.shield(looking)

    async def _look(self, principal: Principal) -> tuple[list[tuple[str, str, int, int]], int]:
        return await self.store.counts(principal), await self.store.changes(principal)

    async def reject(self, context: Context, wanted: str, suggestion: str) -> None:
        """Note that a suggestion is not wanted. Raises ``NotFound``, ``Conflict``."""
        trace_id = context.trace.trace_id
        case, event = await self.assist.store.reject(context.principal, wanted, suggestion, trace_id)
        self._tell(case, [event])

    async def me(self, context: Context) -> DeskPerson:
        """The caller, by the name that customers see."""
        return await self.people.me(context.principal)

    async def take_case(self, context: Context, wanted: str, *, attend: bool | None = None) -> Case:
        """See ``CaseWork.take``."""
        who = await self.me(context)
        return self._did(await self.work.take(context.principal, wanted, who, acting(context), attend=attend)).case

    async def next_case(self, context: Context, queues: Sequence[str]) -> Case | None:
        """Take the next case of these queues, or of the caller's own."""
        who = await self.me(context)
        done = await self.work.next(context.principal, queues or who.queues, who, acting(context))
        return None if done is None else self._did(done).case

    async def assign(self, context: Context, wanted: str, person: str, queue: str) -> Case:
        """Give a case to another person, or back to a queue (no person)."""
        to = await self.people.get(context.principal, person) if person else None
        actor = context.principal.person
        done = await self.work.assign(context.principal, wanted, acting(context), to=to, queue=queue, actor=actor)
        return self._did(done).case

    async def say(
        self, context: Context, wanted: str, text: str, author: Author = "person", suggestion: str = ""
    ) -> CaseChange:
        """Answer the customer, or leave a note (``author``). ``suggestion`` is the one that the answer was made of."""
        who = await self.me(context)
        by = acting(context)

        def also(connection: sa.Connection, case: Case, said: CaseMessage) -> list[EventRecord]:
            thread = thread_of(connection, case.tenant, case.session_id) if case.session else None
            if thread is not None and self.channels.owns(thread, case.session):
                send(connection, thread, said.text)
            if not suggestion:
                return []
            return [decide(connection, case, suggestion, said.text, who.person, by.trace_id)]

        done = await self.work.say(context.principal, wanted, text, who, by, author=author, also=also)
        return self._did(done)

    async def close_case(self, context: Context, wanted: str, *, resolution: str = "", hand_back: bool = False) -> Case:
        """Close a case, or only hand its session back to the agent."""
        who = await self.me(context)
        by = acting(context)
        done = await self.work.close(context.principal, wanted, who, by, resolution=resolution, hand_back=hand_back)
        return self._did(done).case

    async def reopen(self, context: Context, wanted: str) -> Case:
        """Open a closed case again."""
        return self._did(
            await self.work.reopen(context.principal, wanted, await self.me(context), acting(context))
        ).case

    async def sweep(self) -> None:
        """Mark late cases, count all, and delete what is kept no longer."""
        try:
            for done in await self.work.mark_late():
                self._did(done)
            self.metrics.standing(await self.store.all_counts())
            if self.settings.retention_days:
                await self.work.expire(self.settings.retention_days)
            await self.channels.store.expire(self.channels.settings.remembered_days)
            await self.channels.chats.expire()
        except MainspringError as error:
            _log.warning("the maintenance of the desk failed and is tried again: %s", error)

    def _did(self, done: CaseChange) -> CaseChange:
        self._tell(done.case, [*done.more, done.event])
        return done

    def _tell(self, case: Case, events: Sequence[EventRecord]) -> None:
        for event in events:
            facts = CaseFacts.of(event.facts)
            self.metrics.did(case.queue, facts.action, facts.seconds)
        for hear in self._rooms.stores.events.heard:
            hear(events)
        self.pulse.beat(case.tenant)


def _opened(case: Case) -> OpenedCase:
    return OpenedCase(case.number, case.queue, case.status)
