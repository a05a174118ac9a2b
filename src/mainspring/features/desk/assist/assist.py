"""Agent Assist: a summary, hints from knowledge, facts and suggested answers for a case, after each message of its
customer, in the background."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from mainspring.agents.runs import CalledTool, CalledTools
from mainspring.core.errors import MainspringError, Unauthenticated
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Principal, Priority
from mainspring.feature import Rooms, Services
from mainspring.features.desk.assist import summary
from mainspring.features.desk.assist.facts import facts_of, told
from mainspring.features.desk.assist.queue import AssistQueue
from mainspring.features.desk.pulse import Pulse
from mainspring.features.desk.settings import DeskSettings
from mainspring.features.desk.store.assists import Assistance, AssistStore, Suggestion
from mainspring.features.desk.store.cases import CaseStore
from mainspring.features.desk.store.holders import KeyHolders
from mainspring.features.desk.store.records import Case
from mainspring.features.desk.transcripts import TranscriptLine, transcript
from mainspring.rag.search.search_service import SearchRequest

_log = logging.getLogger(__name__)
_TIMEOUT_S = 120.0
_SCOPES = frozenset({"chat", "runs"})
_MARK = re.compile(r"(?:(?<!\s)\s+)?\[\d+(?:,\s*\d+)*\]")
_HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)
_PERSON = re.compile(
    r"\b(?:speak|talk|chat|pass|put|transfer|connect|hand|get)\b[^.?!]{0,40}"
    r"\b(?:person|human|someone|somebody|agent|colleague|manager|supervisor|representative|adviser|advisor)\b",
    re.IGNORECASE,
)
"""Asks for a person: it says nothing of what the person has to know."""
_SHORT = 24
_EXCERPT = 400


class AgentAssist:
    """Makes the assistance of one case at a time for each case; the latest message counts."""

    def __init__(
        self, rooms: Rooms, settings: DeskSettings, cases: CaseStore, pulse: Pulse, holders: KeyHolders
    ) -> None:
        self._rooms = rooms
        self._settings = settings
        self._cases = cases
        self._pulse = pulse
        self._holders = holders
        self._queue = AssistQueue(self._make)
        self.store = AssistStore(rooms.stores.database)
        self.tools: CalledTools | None = None

    def find_tools(self, services: Services) -> None:
        """Take the service that knows what tools said."""
        self.tools = services.perhaps(CalledTools)  # type: ignore[type-abstract]

    def want(self, case: Case) -> None:
        """Make it anew in the background, when it is its turn."""
        if not self._settings.assist or case.status == "closed":
            return
        self._queue.want(case)

    def want_once(self, case: Case) -> None:
        """Have the assistance for a case made, if nothing of it is under way."""
        if not self._queue.has(case):
            self.want(case)

    async def idle(self) -> None:
        """Wait until nothing is made."""
        await self._queue.idle()

    async def close(self) -> None:
        """Stop. What is missing is made when somebody looks at the case."""
        await self._queue.close()

    async def _make(self, case: Case) -> None:
        try:
            async for made in self.stages(case):
                await self.store.put(case, made)
                self._pulse.beat(case.tenant)
        except MainspringError as error:
            _log.warning("no assistance was made for the case %s: %s", case.number, error)
        except Exception:
            _log.exception("no assistance was made for the case %s", case.number)

    async def stages(self, case: Case) -> AsyncGenerator[Assistance, None]:
        """The assistance for a case as it is now, within the rights of the key whose conversation it is. Without that
        key no knowledge, tool or model has a part in it.

        Each has more than the one before, and the last has all: what is at hand does not wait for searches and models.
        """
        case, said = await self._cases.get(Principal(case.tenant, case.owner, frozenset(), case.groups), case.id)
        try:
            principal = await self._holders.of_person(case.tenant, case.owner, case.groups, _SCOPES)
        except Unauthenticated as error:
            _log.info("the case %s is assisted without knowledge: %s", case.number, error)
            principal = None
        lines = await transcript(self._rooms.stores.sessions, case, said)
        basis = next((each.id for each in reversed(said) if each.author == "customer"), "")
        query = _query(case, lines)
        tools = await self._tools(principal, case)
        suggestions = [each for each in (told(case, tools),) if each is not None]
        if case.answered_at is None and self._settings.greeting:
            greeting = self._settings.greeting.replace("{number}", case.number).replace("{subject}", case.subject)
            suggestions.append(Suggestion(greeting, "greeting"))
        text = await asyncio.to_thread(summary.extracted, case, lines)
        made = Assistance(basis, text, "", (), facts_of(case, tools), suggestions)
        if principal is not None:
            yield made
            hints, best = await self._hints(principal, query)
            made = dataclasses.replace(made, hints=hints)
            if best:
                yield made
                if (answer := await self._answer(principal, best, query)) is not None:
                    made = dataclasses.replace(made, suggestions=[answer, *suggestions])
            if model := self._writer():
                yield made
                written = await summary.written(model, self._rooms.responder, case, lines, _context(principal))
                if written:
                    yield dataclasses.replace(made, summary=written, method=model)
                    return
        yield dataclasses.replace(made, method=summary.EXTRACTIVE)

    async def _tools(self, principal: Principal | None, case: Case) -> list[CalledTool]:
        found: list[CalledTool] = []
        if self.tools is not None and principal is not None and case.run_id:
            try:
                found = list(await self.tools.called_tools(principal, case.run_id))
            except MainspringError as error:
                _log.info("the run %s of the case %s is not shown: %s", case.run_id, case.number, error)
        return found

    async def _hints(self, principal: Principal, query: str) -> tuple[list[Mapping[str, Any]], str]:
        """Passages that bear on ``query``, and the collection of the best one; empty: nothing is found."""
        hints: list[Mapping[str, Any]] = []
        best, top = "", -1.0
        names = self._settings.collections or await self._collections(principal)
        for name in names[:3]:
            try:
                wanted = SearchRequest((query,), 3, highlights=False)
                found = await self._rooms.library.search.search(_context(principal), name, wanted)
            except MainspringError as error:
                _log.info("knowledge in %s was not searched: %s", name, error)
                continue
            for shown in found.hits:
                hit = shown.hit
                excerpt = " ".join(_HEADING.sub("", hit.text).split())[:_EXCERPT]
                hints.append({"collection": name, "source": hit.source, "heading": hit.heading, "text": excerpt})
                if hit.score > top:
                    best, top = name, hit.score
        return hints[:5], best

    async def _answer(self, principal: Principal, collection: str, query: str) -> Suggestion | None:
        request = ChatRequest(collection, (Message("user", query),), store=False)
        try:
            answer = await collect(await self._rooms.responder.respond(request, _context(principal)))
        except MainspringError as error:
            _log.info("%s suggests no answer: %s", collection, error)
            return None
        text = _MARK.sub("", answer.text).strip()
        if answer.answered is False or not text or not answer.citations:
            return None
        cited = [
            {"number": each.index, "source": each.source, "text": " ".join(each.quote.split())[:_EXCERPT]}
            for each in answer.citations[:4]
        ]
        return Suggestion(text, "knowledge", cited)

    def _writer(self) -> str:
        """The model that writes summaries; empty: none."""
        model, larger = self._settings.summary_model, self._rooms.settings.models.larger
        if model == "auto":
            return larger if larger in self._rooms.path.chat else ""
        return model

    async def _collections(self, principal: Principal) -> tuple[str, ...]:
        served = await self._rooms.path.registry.models(principal)
        return tuple(each.name for each in served if each.kind == "collection")


def _context(principal: Principal) -> Context:
    end = time.monotonic() + _TIMEOUT_S
    return Context(principal, deadline=end, priority=Priority.BACKGROUND, consent=principal.consent)


def _query(case: Case, lines: Sequence[TranscriptLine]) -> str:
    """What the customer asks: the last message, unless it does no more than ask for a person; with the subject if that
    is short."""
    texts = [" ".join(each.text.split())[:1000] for each in reversed(lines) if each.author == "customer"]
    texts = texts or [" ".join(case.body.split())[:1000]]
    text = next((each for each in texts if not _PERSON.search(each)), texts[0])
    return text if len(text) >= _SHORT else f"{case.subject}. {text}".strip()
