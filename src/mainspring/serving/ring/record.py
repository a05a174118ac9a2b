"""The facts of a request, in one commit before its end is acknowledged."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from typing import Any

import mainspring.serving.ring.request_snapshot as kept
from mainspring.core import cards
from mainspring.core.errors import MainspringError, UnknownModel
from mainspring.core.facts.answers import AnswerFacts, GivenFacts, PromptFacts, ReplayFacts
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.path import Answer, Layer
from mainspring.core.types import (
    TOKEN,
    ChatRequest,
    CompletionRequest,
    Context,
    Event,
    EventRecord,
    Events,
    Finish,
    Head,
    Message,
    PromptUse,
    Request,
    RerankRequest,
    Responder,
    Response,
    Text,
    real,
)
from mainspring.serving.memory.layer import stored_name
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.ports import DiskRoom, EventLog, Tracing
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.stores.sql import ids

# Sentences that a model wrote over sources, by the result of the support check.
CHECKED = ("supported", "unsupported")
_log = logging.getLogger(__name__)


class _Book:
    """The current knowledge about one request."""

    __slots__ = (
        "answer_id",
        "at",
        "context",
        "ended",
        "error",
        "events",
        "first",
        "head",
        "request",
        "settled",
        "started",
    )

    def __init__(self, request: Request, context: Context) -> None:
        self.answer_id = context.settlement.planned_id or ids.new("ans_")
        self.request = request
        self.context = context
        self.at = time.time()
        self.started = time.perf_counter()
        self.first: float | None = None
        self.head: Head | None = None
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self.ended = False
        self.settled = False


class Record(Layer):
    """Names the answer, collects it, and settles call, guard, retrieval and answer events with the session's turn.

    ``Finish`` is passed on only after that commit. A request that fails or whose client leaves settles its cost, with
    status ``failed`` or ``cancelled``, even while its task is being cancelled. If the disk has no ``room`` for the
    facts, the request is refused.
    """

    def __init__(
        self,
        inner: Responder,
        events: EventLog,
        background: Background,
        tracing: Tracing | None = None,
        room: DiskRoom | None = None,
    ) -> None:
        super().__init__(inner)
        self._events = events
        self._background = background
        self._tracing = tracing
        self._room = room

    async def respond(self, request: Request, context: Context) -> Response:
        if self._room is not None:
            self._room.admit_answer()
        book = _Book(request, context)
        cards.refuse(request.user, "user")
        context.settlement.application, context.settlement.answer_id = request.model, book.answer_id
        try:
            response = await self.inner.respond(request, context)
        except BaseException as error:
            book.error = error
            await self._close(book)
            raise
        response.with_head(answer_id=book.answer_id)
        book.head = response.head

        return response.through(lambda events: self._until_settled(events, book), on_close=lambda: self._close(book))

    async def _until_settled(self, events: Events, book: _Book) -> AsyncGenerator[Event, None]:
        finishes: list[Finish] = []
        keep = book.events.append
        try:
            async for event in events:
                if type(event) is Finish:
                    finishes.append(event)
                    continue
                if book.first is None:
                    book.first = time.perf_counter()
                keep(event)
                yield event
        except BaseException as error:
            book.error = error
            raise
        # Notes by inner layers at their end belong to this commit.
        await events.aclose()
        book.events.extend(finishes)
        book.ended = True
        await self._settle(book)
        for finish in finishes:
            yield finish

    async def _close(self, book: _Book) -> None:
        if book.settled:
            return
        try:
            await self._settle(book)
        except Exception as error:
            if book.error is None:
                raise
            # The caller gets the first failure, which this one would hide.
            _log.error("answer %s could not be recorded: %s", book.answer_id, error)

    async def _settle(self, book: _Book) -> None:
        book.settled = True
        answer = Answer(book.head or Head(book.request.model))
        for event in book.events:
            answer.add(event)
        records = [*_stamped(book), _answer_record(book, answer)]
        released = book.context.allowance.reservation
        with nullcontext() if self._tracing is None else self._tracing.span("settle", book.context):
            await self._background.finish(self._events.settle(records, _turns(book, answer), released))


def _stored(request: Request) -> bool:
    return request.store if isinstance(request, ChatRequest | CompletionRequest) else False


def _status(book: _Book) -> str:
    if book.ended:
        return "completed"
    if book.error is None or isinstance(book.error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    return "failed"


def _stamped(book: _Book) -> list[EventRecord]:
    """The waiting records, now about this answer; without text if the caller asked for that."""
    waiting, stored = book.context.settlement.records, _stored(book.request)
    records = [record.about(book.answer_id, kept=stored) for record in waiting]
    waiting.clear()
    if replayed := book.context.replay:
        # Statistics about user traffic leave these out.
        marked = (dataclasses.replace(record.facts, replay_of=replayed) for record in records)
        records = [dataclasses.replace(record, facts=facts) for record, facts in zip(records, marked, strict=True)]
    if isinstance(book.error, UnknownModel):
        records = [_unserved(record) for record in records]
    return records


def _unserved(record: EventRecord) -> EventRecord:
    """A guard's decision without the application's name: no served application has that name, so it is the caller's
    text and would outlive an erasure."""
    if not isinstance(record.facts, GuardFacts):
        return record
    return dataclasses.replace(record, facts=dataclasses.replace(record.facts, application=""))


def _answer_record(book: _Book, answer: Answer) -> EventRecord:
    context = book.context
    return EventRecord(
        id=book.answer_id,
        at=book.at,
        tenant=context.principal.tenant,
        trace_id=context.trace.trace_id,
        subject=book.answer_id,
        parent_id=context.replay or None,
        version=GivenFacts.VERSION,
        facts=_facts(book, answer),
        content=_content(book, answer) if _stored(book.request) else None,
        consent=context.consent,
        retention=context.retention,
        person=book.request.user or "",
    )


def _facts(book: _Book, answer: Answer) -> GivenFacts:
    context, request, head, now = book.context, book.request, answer.head, time.perf_counter()
    spent, principal, status = context.allowance.spent, context.principal, _status(book)
    checked = [event.grounds for event in book.events if type(event) is Text and event.grounds in CHECKED]
    regions = context.regions, principal.reach.regions
    chat = request if isinstance(request, ChatRequest) else None
    drawn = kept.sampling(request.sampling) if isinstance(request, ChatRequest | CompletionRequest) else None
    return (ReplayFacts if context.replay else AnswerFacts)(
        status=status,
        operation=operation(request),
        requested=request.model,
        model=head.model,
        key_id=principal.key_id,
        cache=head.cache,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        spent_tokens=spent.total_tokens,
        cost_nanousd=spent.cost_nanousd,
        finish=[choice.finish for choice in answer.choices],
        citations=len(answer.citations),
        missing=len(answer.missing),
        conflicts=len(answer.contradictions),
        answered=answer.answered,
        duration_s=round(now - book.started, 6),
        ttft_s=None if book.first is None else round(book.first - book.started, 6),
        sentences=len(checked) if checked else None,
        unsupported=checked.count("unsupported") if checked else None,
        saved_nanousd=answer.usage.saved_nanousd,
        arm=head.arm,
        variant=head.variant,
        replica=head.replica,
        instead=head.instead,
        # A key's groups can be looked up; a token's groups are only in this record.
        groups=sorted(real(principal.groups)) if principal.key_id.startswith(TOKEN) else None,
        # Later processing of the event respects them, too.
        regions=[sorted(each) for each in regions] if any(regions) else None,
        session_id=chat.session_id if chat is not None else None,
        previous=chat.previous if chat is not None else None,
        prompt=_prompt(chat.prompt) if chat is not None and chat.prompt is not None else None,
        sampling=drawn or None,
        user=request.user,
        error=error_code(book.error) if status == "failed" else "",
    )


def _prompt(use: PromptUse) -> PromptFacts:
    return PromptFacts(name=use.name, version=use.version, sha256=use.sha256, wanted=use.wanted, default=use.default)


def _content(book: _Book, answer: Answer) -> str:
    """The question and the answer, as JSON. For a session only the new messages: the others are already stored."""
    request = book.request
    content: dict[str, Any] = {}
    if isinstance(request, ChatRequest):
        use = request.prompt
        said = request.messages if use is None else use.asked
        content["messages"] = [kept.plain(message) for message in book.context.settlement.turn or said]
        if use is not None:
            content["prompt"] = {
                "variables": dict(use.variables),
                "messages": [kept.plain(message) for message in use.rendered],
            }
        if shown := dict(book.context.settlement.shown):
            if shown.get("instructions"):
                # In the form that the guard let pass, which may differ from the request.
                shown["instructions"] = next((each.content for each in said if each.role == "system"), "")
            if use is not None and "prompt" in shown:
                shown["prompt"] = {**shown["prompt"], "variables": dict(use.variables)}
            content["shown"] = shown
        content |= kept.beside(request)
        if request.session_id is not None:
            content["sent"] = kept.turn_as_sent(said, book.context.settlement.turn)
    elif isinstance(request, CompletionRequest):
        content["prompt"] = request.prompt
        if request.suffix:
            content["suffix"] = request.suffix
    content["choices"] = [
        {
            "text": choice.text,
            "reasoning": choice.reasoning,
            "tool_calls": [kept.plain(call) for call in choice.tool_calls],
        }
        for choice in answer.choices
    ]
    if answer.citations:
        content["citations"] = [kept.plain(citation) for citation in answer.citations]
    if answer.hosted:
        content["hosted"] = [
            {"at": at, "kind": call.kind, "number": call.number, "details": dict(call.details)}
            for at, call in answer.hosted
        ]
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace").decode()


def _turns(book: _Book, answer: Answer) -> tuple[SessionTurn, ...]:
    request, allowance, turn = book.request, book.context.allowance, book.context.settlement.turn
    if not (isinstance(request, ChatRequest) and request.session_id is not None):
        return ()
    said: tuple[Message, ...] = ()
    if turn and book.ended:
        reply = (Message("assistant", each.text, tool_calls=tuple(each.tool_calls)) for each in answer.choices[:1])
        said = (*turn, *reply)
    elif not allowance.session_tokens:
        return ()
    principal = book.context.principal
    name = stored_name(principal, request.session_id)
    spent, reserved = allowance.spent.total_tokens, allowance.session_tokens
    return (SessionTurn(principal.tenant, name, said, book.context.trace.trace_id, book.at, spent, reserved),)


def operation(request: Request) -> str:
    """The operation's name in OpenTelemetry's GenAI conventions."""
    if isinstance(request, ChatRequest):
        return "chat"
    if isinstance(request, CompletionRequest):
        return "text_completion"
    return "rerank" if isinstance(request, RerankRequest) else "embeddings"


def error_code(error: BaseException | None) -> str:
    """The stable code of a failure."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    return error.code if isinstance(error, MainspringError) else MainspringError.code
