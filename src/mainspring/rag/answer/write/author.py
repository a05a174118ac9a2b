"""One written answer: the prompts over one set of notes, and the handling of replies."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from mainspring.core.errors import MainspringError
from mainspring.core.facts.opinions import ScoreFacts
from mainspring.core.path import Answer, collect
from mainspring.core.types import (
    Answered,
    Event,
    Finish,
    Head,
    Message,
    Notice,
    Progress,
    Response,
    Sampling,
    Text,
    Usage,
)
from mainspring.guards.rewrite.spotlight import Spotlight, neutralise
from mainspring.rag.answer.cite import Numbers
from mainspring.rag.answer.write import arithmetic, prompts
from mainspring.rag.answer.write.answer_form import Wish
from mainspring.rag.answer.write.checked_sentences import CheckedSentence, CheckedSentences
from mainspring.rag.answer.write.claims import Problem, Rare
from mainspring.rag.answer.write.numbers import numbers
from mainspring.rag.answer.write.sources import Note, numbered, told
from mainspring.rag.query.model import likelihood

Call = Callable[[Sequence[Message], Sampling], Awaitable[Response]]
"""Asks the model; raises its errors."""

# Maximum tokens of a written sentence, and of a calculation.
_SENTENCE_TOKENS, _CALCULATION_TOKENS = 70, 40
MOST_TOKENS = 160


class Author:
    """Writes one answer to ``question`` over ``notes`` (at least one), in the way ``wish`` says.

    ``instruction`` opens the prompt, ``again`` says why an earlier answer could not be shown. ``light`` delimits the
    notes (None: they are only kept from imitating the chat template). ``closing`` makes the text after an answer from
    its citations; ``rare`` says which words name something.
    """

    def __init__(
        self,
        call: Call,
        notes: Sequence[Note],
        texts: Mapping[str, str],
        question: str,
        wish: Wish,
        *,
        light: Spotlight | None = None,
        instruction: str = prompts.INSTRUCTION,
        again: str = "",
        sampling: Sampling | None = None,
        most: int = 3,
        closing: Callable[[Numbers], list[Event]] | None = None,
        rare: Rare | None = None,
    ) -> None:
        self._call = call
        self._notes = list(notes)
        self._question = question
        self._wish = wish
        self._light = light
        self._instruction = instruction
        self._blamed = again
        self._sampling = sampling or Sampling(temperature=0.0)
        self._closing = closing
        self._began = time.perf_counter()
        self._first = 0.0
        self._stated: float | None = None
        self.calls = 0
        self.checked = CheckedSentences(notes, texts, question, wish, self._again, most=most, rare=rare)

    def messages(self, task: str) -> tuple[Message, ...]:
        """The prompt: the same for all calls of this answer, except for the ``task`` at its end."""
        return prompt(self._instruction, self._notes, self._question, task, self._light)

    async def stated(self) -> float | None:
        """The model's probability that the notes state the answer; None if its engine does not report it."""
        sampling = Sampling(max_tokens=1, temperature=0.0, logprobs=0)
        try:
            reply = await self._ask(prompts.STATED, sampling)
        except MainspringError:
            return None
        self._stated = likelihood(reply)
        return self._stated

    async def write(self) -> Response:
        """Commits with the model's first words; raises its errors up to then."""
        if self._wish.form == "arithmetic" and (computed := await self._computed()) is not None:
            return computed
        wish = replace(self._wish, form="plain") if self._wish.form == "arithmetic" else self._wish
        task = prompts.task(wish)
        if self._blamed:
            task += f" An earlier answer could not be shown: {self._blamed}. Avoid that."
        limit = min(self._sampling.max_tokens or MOST_TOKENS, MOST_TOKENS)
        sampling = replace(self._sampling, max_tokens=limit, logprobs=None)
        self.calls += 1
        response = await self._call(self.messages(task), sampling)
        return response.through(self._timed)

    def facts(self) -> ScoreFacts:
        """The steps, for the trace and the event log: milliseconds since this answer started, counts."""
        return replace(
            self.checked.tally.facts(),
            calls=self.calls,
            stated=None if self._stated is None else round(self._stated, 4),
            first_ms=round(1000 * self._first),
            total_ms=round(1000 * (time.perf_counter() - self._began)),
        )

    async def _timed(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        yield Answered(True)
        yield Progress("write", f"{len(self._notes)} notes")
        if self._wish.language != "en":
            yield Notice("translated", prompts.translated(self._wish.language))
        async for event in self.checked.through(events):
            if isinstance(event, Text) and not self._first:
                self._first = time.perf_counter() - self._began
            if isinstance(event, Usage | Finish):
                for note in self._closed():
                    yield note
            yield event

    def _closed(self) -> list[Event]:
        """The notes after the answer, once; none after an answer without a source."""
        closing, self._closing = self._closing, None
        return closing(self.checked.numbers) if closing is not None and self.checked.numbers.passages else []

    async def _ask(self, task: str, sampling: Sampling) -> Answer:
        self.calls += 1
        return await collect(await self._call(self.messages(task), sampling))

    async def _again(self, sentence: str, problems: Sequence[Problem], number: int) -> tuple[str, Usage]:
        said = prompts.again(sentence, [problem.described() for problem in problems], number, self._wish)
        try:
            reply = await self._ask(said, Sampling(max_tokens=_SENTENCE_TOKENS, temperature=0.0))
        except MainspringError:
            # The answer is in progress, so a sentence that cannot be rewritten is quoted.
            return "", Usage()
        return reply.text, reply.usage

    async def _computed(self) -> Response | None:
        """A calculation whose numbers are all in notes (or in the question), computed by code; None if there is
        none."""
        reply = await self._ask(prompts.task(self._wish), Sampling(max_tokens=_CALCULATION_TOKENS, temperature=0.0))
        found = arithmetic.calculation(reply.text)
        if found is None:
            return None
        cited = self._bearing(found)
        if cited is None:
            return None

        async def events() -> AsyncGenerator[Event, None]:
            yield Answered(True)
            yield Progress("write", "a calculation")
            for event in self.checked.show(CheckedSentence(found.working, tuple(note.best for note in cited))):
                if isinstance(event, Text) and not self._first:
                    self._first = time.perf_counter() - self._began
                yield event
            for each in cited:
                for event in self.checked.show(
                    CheckedSentence(told(each.best, self._question), (each.best,), verbatim=True)
                ):
                    yield event
            for note in self._closed():
                yield note
            yield reply.usage
            yield Finish("stop")

        return Response(Head(model=""), events())

    def _bearing(self, found: arithmetic.Calculation) -> list[Note] | None:
        """The first note that has each number of a calculation, except the question's numbers; None if one is nowhere,
        or none is in a note."""
        asked = _amounts(self._question)
        cited: list[Note] = []
        for term in found.terms:
            amount = float(term.replace(",", ""))
            note = next((note for note in self._notes if amount in _amounts(note.text)), None)
            if note is None and amount not in asked:
                return None
            if note is not None and note not in cited:
                cited.append(note)
        return cited or None


def prompt(
    instruction: str, notes: Sequence[Note], question: str, task: str, light: Spotlight | None
) -> tuple[Message, ...]:
    """The messages of one call. A ``task`` that quotes a model's own reply is prevented from imitating the template."""
    lines = numbered(notes)
    body = light.wrap(lines, "notes") if light is not None else neutralise(lines)
    system = f"{instruction} {light.instruction}" if light is not None else instruction
    said = f"Notes:\n{body}\n\nQuestion: {neutralise(question)}\n\n{neutralise(task)}"
    return Message("system", system), Message("user", said)


def _amounts(text: str) -> set[float]:
    return {amount for number in numbers(text) for amount in number.amounts}
