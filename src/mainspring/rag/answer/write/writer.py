"""The writer whose model keeps to its sources: a few sentences over numbered notes, each held against its note."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence

from mainspring.core.facts.base import name_of
from mainspring.core.facts.opinions import ScoreFacts
from mainspring.core.types import ChatRequest, Context, Event, Finish, Message, Responder, Response, Sampling
from mainspring.engines.base import Embedder
from mainspring.guards.rewrite.spotlight import Spotlight
from mainspring.rag.answer.answer_notes import Notes
from mainspring.rag.answer.context import ContextReading, ContextSpan, assemble, spans
from mainspring.rag.answer.findings import checked
from mainspring.rag.answer.generate import AnswerWriter, greedy
from mainspring.rag.answer.verbatim import rows
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write import prompts, sources, summary
from mainspring.rag.answer.write.answer_form import wish
from mainspring.rag.answer.write.author import MOST_TOKENS, Author, prompt
from mainspring.rag.answer.write.first_sentence import Unwritten, checked_first
from mainspring.rag.search.hit import Hit
from mainspring.telemetry.tracing import Tracing, span_of

_SHORT = 3
# Forms that a small model answers worse than the documents: it takes the number of another sentence, drops the
# condition of a yes or no, and one side of a comparison.
_QUOTED = ("plain", "yes_no", "comparison")


class NoteWriter(AnswerWriter):
    """Writes answers with the chat model ``model``, which ``responder`` serves and which keeps to its sources.

    Notes are the best sentences with their context, or whole passages for a ``wide`` model. Where its probability that
    the notes state the answer is below ``stated_below`` nothing is written (0: it is not asked). The rest is as in
    ``AnswerWriter``.
    """

    instruction = prompts.INSTRUCTION

    def __init__(
        self,
        responder: Responder,
        embedder: Embedder,
        *,
        model: str,
        context_window: int,
        wide: bool = False,
        stated_below: float = 0.0,
        spotlight: bool = True,
        count: Callable[[str], Awaitable[int]] | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        super().__init__(
            responder,
            embedder,
            model=model,
            context_window=context_window,
            default_tokens=MOST_TOKENS,
            spotlight=spotlight,
            count=count,
        )
        self._wide = wide
        self._stated_below = stated_below
        self._tracing = tracing

    async def read(
        self,
        request: ChatRequest,
        question: str,
        hits: Sequence[Hit],
        passages: Sequence[Passage],
        texts: Mapping[str, str],
    ) -> ContextReading:
        light = Spotlight() if self._spotlight else None
        tokens = min(request.sampling.max_tokens or MOST_TOKENS, MOST_TOKENS)
        room = await self._room(
            prompt(_instruction(request), (), question, prompts.task(wish(question)), light), tokens
        )

        async def count(found: Sequence[ContextSpan]) -> list[int]:
            return await self._costs([sources.block(source) for source in found])

        if wish(question).form == "summary":
            candidates = sources.candidates(summary.passages(question, passages, texts), summary.MOST)
        else:
            candidates = spans(hits, texts) if self._wide else sources.candidates(passages)
        most = room if self._wide else min(room, sources.TOKENS)
        reading = await assemble(candidates, most, count, ends=self._wide)
        self._fits(candidates, reading, tokens)
        return reading

    def quotes(self, question: str, passages: Sequence[Passage]) -> bool:
        """Whether the documents' own words answer better if the caller did not choose: a row with a cell that the
        question names, and for a small model all that can be quoted."""
        wished = wish(question)
        if not passages or wished.simple or wished.language != "en" or wished.form not in _QUOTED:
            return False
        if not self._wide:
            return True
        row = rows.parsed(passages[0].text) if passages[0].kind == "row" else None
        return wished.form != "comparison" and row is not None and bool(rows.columns(row, question))

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
        found = [text for each in reading.sources for text in (each.name, each.text)]
        wished = wish(question)
        if wished.form == "summary":
            passages = summary.passages(question, passages, texts)

        async def call(messages: Sequence[Message], sampling: Sampling) -> Response:
            inner = ChatRequest(self._model, tuple(messages), sampling=sampling, user=request.user, store=False)
            return await self._responder.respond(inner, context.nested())

        author = Author(
            call,
            sources.notes(reading.sources, passages, question),
            texts,
            question,
            wished,
            light=Spotlight.over(self._secret, found) if self._spotlight else None,
            instruction=_instruction(request),
            again=request.again,
            sampling=greedy(request.sampling),
            closing=None if notes is None else notes.events,
            rare=self._rare,
        )
        if self._stated_below > 0:
            stated = await author.stated()
            if stated is not None and stated < self._stated_below:
                context.settlement.records.append(checked(context, author.facts()))
                return Unwritten.REFUSED
        response = (await author.write()).through(lambda events: self._settled(author, events, context))
        quotable = wished.form in ("plain", "yes_no") and not wished.simple and wished.language == "en"
        return await checked_first(response) if quotable else response

    def _rare(self, word: str) -> bool:
        """Whether the embedding model, whose tokens are the words that much text has, knows ``word`` in pieces only."""
        pieces, nothing = self._embedder.count_tokens([word, ""])
        return len(word) > _SHORT and pieces - nothing > 1

    async def _settled(
        self, author: Author, events: AsyncIterator[Event], context: Context
    ) -> AsyncGenerator[Event, None]:
        """``events``; the outcome of the sentences and the time are settled with the answer."""
        with span_of(self._tracing, "write", context) as span:
            async for event in events:
                if isinstance(event, Finish):
                    facts = author.facts()
                    for name in _ON_THE_SPAN:
                        span.set(f"mainspring.{name}", getattr(facts, name))
                    context.settlement.records.append(checked(context, facts))
                yield event


_ON_THE_SPAN = tuple(name_of(ScoreFacts, each) for each in ("first_ms", "total_ms", "calls", "rewritten", "verbatim"))


def _instruction(request: ChatRequest) -> str:
    return prompts.INSTRUCTION if request.prompt is None else request.prompt.text
