"""Answers that a chat model writes over retrieved sources, checked sentence by sentence as they stream.

The model is told to use the sources and is not trusted to cite them: its own markers are dropped, and each sentence
gets the passage that supports it best, or ``[unsupported]``.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace

from mainspring.engines.base import Embedder
from mainspring.guards.spotlight import Spotlight, neutralise
from mainspring.rag import sentences
from mainspring.rag.cite import cite
from mainspring.rag.extract import Passage
from mainspring.rag.retrieve import Hit
from mainspring.rag.support import SUPPORTED, support
from mainspring.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Message,
    Progress,
    Request,
    Responder,
    Response,
    Text,
    Usage,
)

REFUSAL = "The documents do not say."
UNSUPPORTED = "[unsupported]"
_INSTRUCTION = (
    "Answer the question from the context below and from nothing else, in at most three sentences. "
    f"If the context does not hold the answer, say exactly: {REFUSAL}"
)
# A small model copies from a few sentences better than from pages.
_FEW = 4
# Tokens are counted with the embedding model's vocabulary; other vocabularies need up to this much more.
_TOKEN_MARGIN = 1.4
_FRAME_TOKENS = 220
# Small models repeat the delimiters of their sources, and may be cut off within one.
_ECHO = re.compile(r"<<\s*/?\s*[a-z]{1,16}-[0-9a-f]{0,16}(?:>>|$)\s*")
_OWN_MARKERS = re.compile(r"\s*\[(?:\d{1,3}|source[^\]]{0,20})\]", re.IGNORECASE)


class Writer:
    """Writes answers with the chat model ``model``, which ``responder`` serves.

    ``grounded`` models read whole chunks, others the few best sentences. ``context_window`` is the model's, in
    tokens.
    """

    def __init__(
        self,
        responder: Responder,
        embedder: Embedder,
        *,
        model: str,
        context_window: int,
        default_tokens: int = 256,
        grounded: bool = False,
        spotlight: bool = True,
    ) -> None:
        self._responder = responder
        self._embedder = embedder
        self._model = model
        self._window = context_window
        self.default_tokens = default_tokens
        self._grounded = grounded
        self._spotlight = spotlight

    def fingerprint(self, request: Request, context: Context) -> str | None:
        """That of the model which writes; None where its answers must not be cached."""
        return self._responder.fingerprint(request, context)

    async def write(
        self,
        request: ChatRequest,
        question: str,
        hits: Sequence[Hit],
        passages: Sequence[Passage],
        texts: Mapping[str, str],
        context: Context,
    ) -> Response:
        """Commit with the model's first words; raises what the model raises up to then."""
        tokens = request.sampling.max_tokens or self.default_tokens
        messages = self._messages(question, self._sources(hits, passages, question, tokens))
        sampling = request.sampling
        if sampling.temperature is None:
            # Drawn tokens are invented ones: greedy text keeps to the sources far more often (measured on SQuAD).
            sampling = replace(sampling, temperature=0.0)
        inner = ChatRequest(self._model, messages, sampling=sampling, user=request.user, store=False)
        response = await self._responder.respond(inner, context.nested())
        check = _Check(passages, texts, self._embedder)
        return response.through(check.through)

    def _sources(
        self, hits: Sequence[Hit], passages: Sequence[Passage], question: str, tokens: int
    ) -> list[tuple[str, str]]:
        """(name, text) of as many sources as fit the window, best first; the first always."""
        if self._grounded:
            found = [(_label(hit), hit.text) for hit in hits]
        else:
            found = [(_label(passage.hit), passage.text) for passage in passages[:_FEW]]
        counts = self._embedder.count_tokens([*(f"{name}\n{text}" for name, text in found), question])
        room = int((self._window - tokens - _FRAME_TOKENS) / _TOKEN_MARGIN) - counts[-1]
        chosen: list[tuple[str, str]] = []
        for source, count in zip(found, counts, strict=False):
            if chosen and count > room:
                continue
            chosen.append(source)
            room -= count
        return chosen

    def _messages(self, question: str, sources: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
        light = Spotlight()
        blocks = []
        for name, text in sources:
            body = light.wrap(text, "source") if self._spotlight else neutralise(text)
            blocks.append(f"{neutralise(name)}\n{body}")
        instruction = f"{_INSTRUCTION} {light.instruction}" if self._spotlight else _INSTRUCTION
        context = "\n\n".join(blocks)
        return (
            Message("system", instruction),
            Message("user", f"Context:\n{context}\n\nQuestion: {neutralise(question)}\nAnswer:"),
        )


def _label(hit: Hit) -> str:
    return f"{hit.source}: {hit.heading}" if hit.heading else hit.source


class _Check:
    """Cuts a stream of text into sentences and puts the result of the support check behind each."""

    def __init__(self, passages: Sequence[Passage], texts: Mapping[str, str], embedder: Embedder) -> None:
        self._passages = passages
        self._texts = texts
        self._embedder = embedder
        self._waiting = ""
        self._tokens = 0
        self._numbers: dict[tuple[str, int, int], int] = {}

    async def through(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        """``Text`` comes out a sentence at a time, citations behind it; all else passes in its place."""
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
        if found is None or found.score < SUPPORTED:
            yield Text(f"{lead}{text} {UNSUPPORTED}", tokens=tokens)
            return
        number, new = self._number(found.passage)
        yield Text(f"{lead}{text} [{number}]", tokens=tokens)
        if new:
            stored = self._texts[found.passage.hit.document_id]
            yield cite(number, found.passage, stored, support=round(found.score, 3))

    def _number(self, passage: Passage) -> tuple[int, bool]:
        key = (passage.hit.document_id, passage.start, passage.end)
        new = key not in self._numbers
        return self._numbers.setdefault(key, len(self._numbers) + 1), new
