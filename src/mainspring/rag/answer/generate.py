"""Answers that a chat model writes over retrieved sources, checked sentence by sentence as they stream.

This responder is for models that do not keep to sources reliably (``write.writer`` is for the others): the model is
told to use the sources but not asked to cite them. Its own markers are dropped, and each sentence gets the passage that
supports it best, or ``[unsupported]``.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from mainspring.core.errors import EngineError, PromptTooLong
from mainspring.core.facts.opinions import SUPPORT, ScoreFacts
from mainspring.core.types import (
    Answered,
    ChatRequest,
    Context,
    Event,
    Finish,
    Message,
    Progress,
    Request,
    Responder,
    Response,
    Sampling,
    Text,
    Usage,
)
from mainspring.engines.base import Embedder
from mainspring.guards.rewrite.spotlight import Spotlight, neutralise
from mainspring.rag.answer.answer_notes import Notes
from mainspring.rag.answer.cite import Numbers, cite
from mainspring.rag.answer.context import Candidate, ContextReading, ContextSpan, assemble
from mainspring.rag.answer.evidence.support import SUPPORTED, support
from mainspring.rag.answer.findings import checked
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write.first_sentence import Unwritten
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import sentences

REFUSAL = "The documents do not say."
UNSUPPORTED = "[unsupported]"
_INSTRUCTION = (
    "Answer the question from the context below and from nothing else, in at most three sentences. "
    f"If the context does not hold the answer, say exactly: {REFUSAL}"
)
# A small model copies from a few sentences better than from pages.
_FEW = 4
# Where the model's own vocabulary is not at hand, tokens are counted with the embedding model's; others need up to
# this much more.
_TOKEN_MARGIN = 1.4
# Tokens of a chat template around two messages, and of joining two counted texts.
_TEMPLATE_TOKENS, _JOIN_TOKENS = 64, 1
# Small models repeat the delimiters of their sources, and may be cut off within one.
_ECHO = re.compile(r"<<\s*(?:/\s*)?[a-z]{1,16}-[0-9a-f]{0,16}(?:>>|$)\s*")
_OWN_MARKERS = re.compile(r"(?<!\s)\s*\[(?:\d{1,3}|source[^\]]{0,20})\]", re.IGNORECASE)


class AnswerWriter:
    """Writes answers over the few best sentences with the chat model ``model``, which ``responder`` serves.

    ``context_window`` is the model's, in
    tokens, and ``count`` counts a text in the model's own vocabulary (None: it has none at hand, and the embedder's
    counts are taken with a margin).
    """

    instruction = _INSTRUCTION
    """The prompt of the model if the request names none."""

    def __init__(
        self,
        responder: Responder,
        embedder: Embedder,
        *,
        model: str,
        context_window: int,
        default_tokens: int = 256,
        spotlight: bool = True,
        count: Callable[[str], Awaitable[int]] | None = None,
    ) -> None:
        self._responder = responder
        self._embedder = embedder
        self._model = model
        self._window = context_window
        self.default_tokens = default_tokens
        self._spotlight = spotlight
        self._count = count
        self._secret = os.urandom(32)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        """That of the model which writes; None if its answers must not be cached."""
        return self._responder.fingerprint(request, context)

    async def read(
        self,
        request: ChatRequest,
        question: str,
        hits: Sequence[Hit],  # noqa: ARG002
        passages: Sequence[Passage],
        texts: Mapping[str, str],  # noqa: ARG002
    ) -> ContextReading:
        """The model's input: as many of the passages as fit its window beside the answer.

        Raises ``PromptTooLong`` if the question and the answer leave no room for any passage.
        """
        light = Spotlight()
        tokens = min(request.sampling.max_tokens or self.default_tokens, max(self.default_tokens, self._window // 2))
        room = await self._room(self._messages(request, question, (), light), tokens)

        async def count(sources: Sequence[ContextSpan]) -> list[int]:
            return await self._costs([self._block(source, light) for source in sources])

        candidates = _sentences(passages[:_FEW])
        reading = await assemble(candidates, room, count, ends=False)
        self._fits(candidates, reading, tokens)
        return reading

    def _fits(self, candidates: Sequence[Candidate], reading: ContextReading, tokens: int) -> None:
        """Raises ``PromptTooLong`` if there are ``candidates`` and none is read."""
        if candidates and not reading.sources:
            raise PromptTooLong(
                f"{self._model} reads {self._window} tokens: beside the question and {tokens} for the answer there is "
                "no room for a source",
                remedy="Ask for a shorter answer, or shorten the question",
                param="max_tokens",
            )

    def quotes(self, question: str, passages: Sequence[Passage]) -> bool:  # noqa: ARG002
        """Whether the documents' own words answer better than the model could write; ``passages``: best first."""
        return False

    async def write(
        self,
        request: ChatRequest,
        question: str,
        reading: ContextReading,
        passages: Sequence[Passage],
        texts: Mapping[str, str],
        context: Context,
        notes: Notes | None = None,
    ) -> Response | Unwritten:
        """Write over what ``read`` gave; commit with the model's first words, raise the model's errors up to then.
        ``Unwritten`` if the documents' own words or a refusal are the answer.

        ``passages`` are used to check sentences; ``notes`` follow the answer.
        """
        light = Spotlight.over(self._secret, [text for each in reading.sources for text in (each.name, each.text)])
        messages = self._messages(request, question, reading.sources, light, request.again)
        sampling = greedy(request.sampling)
        inner = ChatRequest(self._model, messages, sampling=sampling, user=request.user, store=False)
        response = await self._responder.respond(inner, context.nested())
        check = _Check(reading, passages, texts, self._embedder, notes)
        return response.through(lambda events: _recorded(check, events, context))

    async def _room(self, frame: Sequence[Message], tokens: int) -> int:
        """Tokens that sources may take beside a prompt without any and ``tokens`` of an answer."""
        (asked,) = await self._counted(["\n".join(message.content for message in frame)])
        return self._window - tokens - asked - _TEMPLATE_TOKENS

    async def _costs(self, blocks: Sequence[str]) -> list[int]:
        return [each + _JOIN_TOKENS for each in await self._counted(blocks)]

    async def _counted(self, texts: Sequence[str]) -> list[int]:
        if self._count is not None:
            try:
                return list(await asyncio.gather(*map(self._count, texts)))
            except EngineError:
                # The engine is starting again: its tokens are estimated this once.
                pass
        return [math.ceil(count * _TOKEN_MARGIN) for count in self._embedder.count_tokens(texts)]

    def _messages(
        self,
        request: ChatRequest,
        question: str,
        sources: Sequence[ContextSpan],
        light: Spotlight,
        again: str = "",
    ) -> tuple[Message, ...]:
        instruction = self.instruction if request.prompt is None else request.prompt.text
        if self._spotlight:
            instruction = f"{instruction} {light.instruction}"
        if again:
            instruction = f"{instruction} An earlier answer could not be shown: {again}. Avoid that."
        context = "\n\n".join(self._block(source, light) for source in sources)
        return (
            Message("system", instruction),
            Message("user", f"Context:\n{context}\n\nQuestion: {neutralise(question)}\nAnswer:"),
        )

    def _block(self, source: ContextSpan, light: Spotlight) -> str:
        body = light.wrap(source.text, "source") if self._spotlight else neutralise(source.text)
        return f"{neutralise(source.name)}\n{body}"


def greedy(sampling: Sampling) -> Sampling:
    """Sampling invents things: greedy text keeps to the sources far more often (measured on SQuAD)."""
    return replace(sampling, temperature=0.0) if sampling.temperature is None else sampling


def _sentences(passages: Sequence[Passage]) -> list[Candidate]:
    """The best sentences, each a source of its own."""
    return [
        Candidate(
            ContextSpan(
                passage.hit.document_id,
                f"{passage.hit.source}: {passage.hit.heading}" if passage.hit.heading else passage.hit.source,
                passage.text,
                passage.start,
                passage.end,
                rank,
            )
        )
        for rank, passage in enumerate(passages)
    ]


async def _recorded(check: _Check, events: AsyncIterator[Event], context: Context) -> AsyncGenerator[Event, None]:
    """``events`` after ``check``; its findings settle with the answer."""
    async for event in check.through(events):
        yield event
    if check.sentences:
        facts = ScoreFacts(metric=SUPPORT, sentences=check.sentences, unsupported=check.unsupported)
        context.settlement.records.append(checked(context, facts))


class _Check:
    """Cuts a stream of text into sentences and puts the result of the support check behind each."""

    def __init__(
        self,
        reading: ContextReading,
        passages: Sequence[Passage],
        texts: Mapping[str, str],
        embedder: Embedder,
        notes: Notes | None,
    ) -> None:
        self._reading = reading
        self._passages = passages
        self._texts = texts
        self._embedder = embedder
        self._waiting = ""
        self._tokens = 0
        self._numbers = Numbers()
        self._notes = notes
        self.sentences = self.unsupported = 0

    async def through(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        """``Text`` comes out a sentence at a time, citations behind it; all else passes in its place."""
        yield Progress("context", self._reading.described())
        yield Progress("write", f"{len(self._passages)} sentences to check against")
        async for event in events:
            match event:
                case Text():
                    self._waiting += event.text
                    self._tokens += event.tokens
                    async for checked in self._release(last=False):
                        yield checked
                case Usage() | Finish():
                    async for checked in self._release(last=True):
                        yield checked
                    if isinstance(event, Finish):
                        yield Answered(self.sentences > 0)
                    for note in self._noted():
                        yield note
                    yield event
                case _:
                    yield event
        async for checked in self._release(last=True):
            yield checked

    async def _release(self, *, last: bool) -> AsyncIterator[Event]:
        """Everything up to the end of the last sentence that is complete; all of it with ``last``."""
        found = sentences.split(self._waiting)
        complete = found if last else found[:-1]
        begin = 0
        for sentence in complete:
            lead, body = self._waiting[begin : sentence.start], self._waiting[sentence.start : sentence.end]
            begin = sentence.end
            async for event in self._checked(lead, body):
                yield event
        self._waiting = self._waiting[begin:] if not last else ""

    async def _checked(self, lead: str, body: str) -> AsyncIterator[Event]:
        tokens, self._tokens = self._tokens, 0
        text = _OWN_MARKERS.sub("", _ECHO.sub("", body)).strip()
        if text == REFUSAL or not re.search(r"\w", text):
            yield Text(lead + text, tokens=tokens)
            return
        found = await support(text, self._passages, self._embedder)
        self.sentences += 1
        if found is None or found.score < SUPPORTED:
            self.unsupported += 1
            yield Text(f"{lead}{text} {UNSUPPORTED}", tokens=tokens, grounds="unsupported")
            return
        number, new = self._numbers.of(found.passage)
        yield Text(f"{lead}{text} [{number}]", tokens=tokens, grounds="supported")
        if new:
            stored = self._texts[found.passage.hit.document_id]
            yield cite(number, found.passage, stored, support=round(found.score, 3))

    def _noted(self) -> list[Event]:
        """The notes after the answer, once; none after an answer without a source."""
        notes, self._notes = self._notes, None
        return notes.events(self._numbers) if notes is not None and self._numbers.passages else []
