"""Generative answers: a model writes from the retrieved passages, and each sentence gets its source by a check.

The model is never trusted to cite. A sentence that the check does not find supported is shown with the mark [?].
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from mainspring.engines.base import Embedder
from mainspring.guards.spotlight import Spotlight
from mainspring.rag import sentences, support
from mainspring.rag.extract import Passage
from mainspring.types import (
    ChatRequest,
    Citation,
    Context,
    Event,
    Finish,
    Head,
    Message,
    Progress,
    Request,
    Responder,
    Response,
    Text,
)

MAX_PASSAGES = 12
UNSUPPORTED = " [?]"


class Writer:
    """Writes answers with ``model``, a chat model within its call ring.

    ``grounded`` says that the model may be used where nobody asked for generation.
    """

    def __init__(self, name: str, model: Responder, embedder: Embedder, *, grounded: bool, spotlight: bool) -> None:
        self.name = name
        self.grounded = grounded
        self._model = model
        self._embedder = embedder
        self._spotlight = spotlight

    def fingerprint(self, request: Request, context: Context) -> str | None:
        inner = self._model.fingerprint(request, context)
        return None if inner is None else f"{self.name}:{inner}"

    async def write(
        self, name: str, request: ChatRequest, question: str, passages: Sequence[Passage], context: Context
    ) -> Response:
        """An answer to ``question`` from the best of ``passages``, committed at the model's first token."""
        used = list(passages[:MAX_PASSAGES])
        vectors = (await self._embedder.embed([passage.text for passage in used])).vectors
        inner = ChatRequest(
            model=self.name,
            messages=self._prompt(question, used),
            sampling=dataclasses.replace(request.sampling, temperature=request.sampling.temperature or 0.0),
            user=request.user,
            store=request.store,
        )
        response = await self._model.respond(inner, context.nested())
        return response.through(
            lambda events: self._cited(events, used, vectors), head=Head(name, headers=response.head.headers)
        )

    def _prompt(self, question: str, passages: Sequence[Passage]) -> tuple[Message, ...]:
        spotlight = Spotlight()
        rules = (
            "Answer the question from the sources only, in at most three sentences. "
            "If the sources do not answer it, say that the documents do not say."
        )
        if self._spotlight:
            rules = f"{rules} {spotlight.instruction}"
        sources = "\n".join(
            spotlight.wrap(_labelled(passage), "source") if self._spotlight else _labelled(passage)
            for passage in passages
        )
        return (Message("system", rules), Message("user", f"Sources:\n{sources}\n\nQuestion: {question}\nAnswer:"))

    async def _cited(
        self, events: AsyncIterator[Event], passages: Sequence[Passage], vectors: Any
    ) -> AsyncGenerator[Event, None]:
        yield Progress("retrieved")
        held = ""
        numbers: dict[tuple[str, int], int] = {}
        async for event in events:
            if isinstance(event, Text):
                held += event.text
                complete, held = _complete(held)
                for sentence in complete:
                    async for shown in self._shown(sentence, passages, vectors, numbers):
                        yield shown
                continue
            if isinstance(event, Finish) and held.strip():
                async for shown in self._shown(held, passages, vectors, numbers):
                    yield shown
                held = ""
            yield event

    async def _shown(
        self, sentence: str, passages: Sequence[Passage], vectors: Any, numbers: dict[tuple[str, int], int]
    ) -> AsyncGenerator[Event, None]:
        """A sentence with its marker, and its citation the first time that its source is used."""
        found = await support.supported(sentence, passages, vectors, self._embedder)
        body = sentence.rstrip()
        space = sentence[len(body) :]
        if found.passage is None or found.score < support.SUPPORTED:
            yield Text(f"{body}{UNSUPPORTED}{space}")
            return
        passage = found.passage
        key = (passage.hit.document_id, passage.start)
        new = key not in numbers
        number = numbers.setdefault(key, len(numbers) + 1)
        yield Text(f"{body} [{number}]{space}")
        if new:
            hit = passage.hit
            yield Citation(
                number,
                hit.document_id,
                hit.source,
                passage.text,
                passage.start,
                passage.end,
                hit.page,
                hit.heading,
                round(found.score, 4),
            )


def _labelled(passage: Passage) -> str:
    heading = f"{passage.hit.heading}: " if passage.hit.heading else ""
    return f"{heading}{passage.text}"


def _complete(text: str) -> tuple[list[str], str]:
    """The sentences of ``text`` that are complete (with the space after them), and the rest."""
    found = sentences.split(text)
    if len(found) < 2:
        return [], text
    starts = [one.start for one in found]
    starts[0] = 0
    return [text[start:end] for start, end in zip(starts, starts[1:], strict=False)], text[starts[-1] :]
