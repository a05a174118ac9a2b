"""Turns a stream of text into sentences with sources: each sentence is checked against the note that it names before it
is sent.

A sentence that its note does not support may be supported by another note. If not, and if nothing can be quoted instead
(a comparison, a summary, another language), it is rewritten once from its note alone. If it is still unsupported, the
note's own words replace it. So every sentence that is sent was checked.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from mainspring.core.facts.opinions import SUPPORT, ScoreFacts
from mainspring.core.types import Event, Finish, Text, Usage
from mainspring.rag.answer.cite import Numbers, cite
from mainspring.rag.answer.context import within
from mainspring.rag.answer.evidence.values import values
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write import claims
from mainspring.rag.answer.write.answer_form import Wish
from mainspring.rag.answer.write.claims import Problem, Rare
from mainspring.rag.answer.write.sources import Note, told
from mainspring.rag.text import sentences

Again = Callable[[str, Sequence[Problem], int], Awaitable[tuple[str, Usage]]]
"""Rewrites a sentence with these problems from the note of this number (from 1): returns the text and the cost."""

_MARK = re.compile(r"\[\s*(?:note\s*)?(\d{1,2}(?:\s*[,;]\s*\d{1,2})*)\s*\]\s*", re.IGNORECASE)
_ECHO = re.compile(r"<<\s*+(?:/\s*+)?[a-z]{1,16}-[0-9a-f]{0,16}(?:>>|$)\s*")
_OPENS = re.compile(r"(?:answer|a|reply|note)\s*:\s*", re.IGNORECASE)
_EVASIVE = re.compile(
    r"\b(?:(?:notes?|documents?|context|text)\s+(?:do(?:es)?\s+not|don['’]t|doesn['’]t)\s+(?:say|state|mention|contain|"
    r"provide|specify|give|include)|not\s+(?:mentioned|stated|specified|provided)\s+in\s+the\s+(?:notes?|documents?)|"
    r"no\s+information)\b",
    re.IGNORECASE,
)
# Two of this many best-fitting notes may support a sentence together.
_TOGETHER = 3


@dataclass(slots=True)
class SentenceTally:
    """The outcome for the sentences of one answer."""

    written: int = 0
    rewritten: int = 0
    verbatim: int = 0
    dropped: int = 0
    problems: dict[str, int] = field(default_factory=dict)

    def facts(self) -> ScoreFacts:
        """For the ``score`` event."""
        return ScoreFacts(
            metric=SUPPORT,
            sentences=self.written + self.verbatim,
            unsupported=0,
            rewritten=self.rewritten,
            verbatim=self.verbatim,
            dropped=self.dropped,
            problems=dict(self.problems),
        )


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence that may be shown, with the passages that support it."""

    text: str
    passages: tuple[Passage, ...]
    verbatim: bool = False
    support: float = 1.0


class CheckedSentences:
    """The checked sentences of one answer, ``most`` at most, over ``notes`` (at least one).

    ``texts`` has the stored text of each document id, which citations are proven against; ``rare`` says which words
    name something (None: only capitals do).
    """

    def __init__(
        self,
        notes: Sequence[Note],
        texts: Mapping[str, str],
        question: str,
        wish: Wish,
        again: Again,
        *,
        most: int = 3,
        rare: Rare | None = None,
    ) -> None:
        self._notes = list(notes)
        self._texts = texts
        self._question = question
        self._wish = wish
        self._again = again
        self._most = most
        self._waiting = ""
        self._tokens = 0
        self._shown: list[str] = []
        self._spent = Usage()
        self._rare = rare
        # A plain sentence that is written again is seldom right (3 of 12 passed, none of them was): it is quoted.
        self._rewrites = wish.form not in ("plain", "yes_no") or wish.simple or wish.language != "en"
        self.numbers = Numbers()
        self.tally = SentenceTally()

    async def through(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        """``Text`` comes out a sentence at a time, each with its citations behind it; all else passes in its place."""
        async for event in events:
            match event:
                case Text():
                    self._waiting += event.text
                    self._tokens += event.tokens
                    async for out in self._release(last=False):
                        yield out
                case Usage():
                    async for out in self._release(last=True):
                        yield out
                    yield event + self._spent
                case Finish():
                    async for out in self._release(last=True):
                        yield out
                    yield event
                case _:
                    yield event
        async for out in self._release(last=True):
            yield out

    def show(self, said: CheckedSentence) -> list[Event]:
        """The events of one sentence: its text with the numbers of its sources, and the citations of new sources.
        Nothing for text that was already shown, or beyond the maximum."""
        if len(self._shown) >= self._most or any(within(said.text, other) for other in self._shown):
            self.tally.dropped += 1
            return []
        lead = " " if self._shown else ""
        self._shown.append(said.text)
        self.tally.verbatim += said.verbatim
        self.tally.written += not said.verbatim
        marks, events = "", []
        for passage in said.passages:
            number, new = self.numbers.of(passage)
            marks += f"[{number}]"
            if new:
                stored = self._texts[passage.hit.document_id]
                events.append(cite(number, passage, stored, None if said.verbatim else round(said.support, 3)))
        tokens, self._tokens = self._tokens, 0
        text = f"{lead}{said.text} {marks}"
        return [Text(text, tokens=tokens, grounds="verbatim" if said.verbatim else "supported"), *events]

    async def _release(self, *, last: bool) -> AsyncIterator[Event]:
        """Everything up to the end of the last sentence that is complete; all of it with ``last``."""
        found = sentences.split(self._waiting)
        begin = 0
        for sentence in found if last else found[:-1]:
            body = self._waiting[sentence.lead : sentence.end]
            begin = sentence.end
            said = await self._sentence(body)
            for event in self.show(said) if said is not None else ():
                yield event
        self._waiting = "" if last else self._waiting[begin:]

    async def _sentence(self, body: str) -> CheckedSentence | None:
        """The text to show for ``body``; None if it says nothing, or there is no room for more."""
        marks, text = marked(body, len(self._notes))
        if not re.search(r"\w", text) or len(self._shown) >= self._most:
            return None
        if _EVASIVE.search(text):
            # It was already decided that the documents answer, so the best note itself can be shown.
            return None if self._shown else self._quoted(self._best(marks))
        found, problems = self._verdict(text, marks)
        if found is not None and self._wish == Wish() and claims.beside(found.text, self._question):
            problems, found = [Problem("words", found.text)], None
        if found is not None:
            return found
        for problem in problems:
            self.tally.problems[problem.kind] = self.tally.problems.get(problem.kind, 0) + 1
        number = self._best(marks, text)
        if self._rewrites and not self.tally.rewritten:
            self.tally.rewritten += 1
            reply, spent = await self._again(text, problems, number)
            self._spent = self._spent + spent
            first = next(iter(sentences.split(reply)), None)
            _, text = marked(reply[first.lead : first.end] if first else "", len(self._notes))
            found = self._held(text, (number,)) if re.search(r"\w", text) and not _EVASIVE.search(text) else None
        return found or self._quoted(number)

    def _verdict(self, text: str, marks: Sequence[int]) -> tuple[CheckedSentence | None, list[Problem]]:
        """The sentence with the first of its notes (or two that it names, together) that supports it, or the fault that
        its note shows."""
        ways: list[tuple[int, ...]] = [(mark,) for mark in marks]
        ways += list(combinations(marks, 2))
        others = [number for number in self._by_fit(text) if number not in marks]
        ways += [(number,) for number in others]
        ways += list(combinations(others[:_TOGETHER], 2))
        for way in ways:
            if (found := self._held(text, way)) is not None:
                return found, []
        wrong = self._problems(text, (self._best(marks, text),))
        return None, wrong or [Problem("number", next((value.text for value in values(text)), text))]

    def _held(self, text: str, numbers: tuple[int, ...]) -> CheckedSentence | None:
        """``text`` if the notes of these ``numbers`` support it together; without a "yes" that they do not support."""
        if self._problems(text, numbers) or (len(numbers) == 1 and self._rivalled(text, numbers[0])):
            return None
        source = "\n".join(self._notes[number - 1].text for number in numbers)
        yes, rest = claims.opening(text)
        if yes is not None:
            if not terms_in(rest):
                return None
            if self._wish.form != "yes_no" or not claims.agrees(yes, self._question, source):
                text = rest[:1].upper() + rest[1:]
        cited = [self._cited(text, number) for number in numbers]
        passages = tuple(each for at, each in enumerate(cited) if each not in cited[:at])
        return CheckedSentence(text, passages, support=claims.shared(text, self._around(numbers), self._question))

    def _problems(self, text: str, numbers: Sequence[int]) -> list[Problem]:
        if len(numbers) > 1:
            return self._divided(text, numbers)
        source = "\n".join(self._notes[number - 1].text for number in numbers)
        names = "\n".join(self._named(number) for number in numbers)
        return claims.problems(
            text,
            source,
            self._question,
            names,
            translated=self._wish.language != "en",
            least=claims.LEAST_SIMPLE if self._wish.simple else claims.LEAST_SHARED,
            rare=self._rare,
        )

    def _divided(self, text: str, numbers: Sequence[int]) -> list[Problem]:
        """The fault of a sentence with several notes: one of them must support each of its clauses, and each must
        support a clause. Checked against all of them at once, it could give one thing the number of another."""
        clauses = [clause for clause in claims.clauses(text) if terms_in(clause)]
        borne: dict[int, int] = {}
        for clause in clauses:
            number = next((number for number in numbers if not self._problems(clause, (number,))), 0)
            if not number:
                return [Problem("words", clause)]
            borne[number] = borne.get(number, 0) + 1
        return [] if len(borne) == len(numbers) else [Problem("words", text)]

    def _rivalled(self, text: str, number: int) -> bool:
        """Whether another note goes better with the words of ``text`` and has another value for them."""
        ours = self._around((number,))
        return any(
            claims.rival(text, ours, self._around((other,)))
            for other in range(1, len(self._notes) + 1)
            if other != number
        )

    def _around(self, numbers: Sequence[int]) -> str:
        return "\n".join(f"{self._named(number)}\n{self._notes[number - 1].text}" for number in numbers)

    def _named(self, number: int) -> str:
        """The subject of a note: its headings and the name of its document."""
        note = self._notes[number - 1]
        return f"{note.best.hit.source}\n{note.source.name}"

    def _best(self, marks: Sequence[int], text: str = "") -> int:
        """The note of a sentence: the one that it names, or the one that fits best."""
        if marks:
            return marks[0]
        if not text:
            return 1
        return self._by_fit(text)[0]

    def _by_fit(self, text: str) -> list[int]:
        """The numbers of all notes, the one that best fits ``text`` first."""
        _, rest = claims.opening(text)
        fits = {
            number: claims.fit(rest, self._around((number,)), self._question)
            for number in range(1, len(self._notes) + 1)
        }
        return sorted(fits, key=lambda number: (-round(fits[number], 2), number))

    def _cited(self, text: str, number: int) -> Passage:
        """The passage of a note that covers most of ``text``."""
        inside = self._notes[number - 1].passages
        return max(inside, key=lambda passage: claims.shared(text, passage.text))

    def _quoted(self, number: int) -> CheckedSentence:
        best = self._notes[number - 1].best
        return CheckedSentence(told(best, self._question), (best,), verbatim=True)


def marked(body: str, count: int) -> tuple[list[int], str]:
    """(numbers from 1 to ``count`` that ``body`` names in brackets, in order, ``body`` without them)."""
    found = [int(each) for match in _MARK.finditer(body) for each in re.findall(r"\d+", match[1])]
    text = _OPENS.sub("", _MARK.sub("", _ECHO.sub("", body)).strip(), count=1) if _OPENS.match(body) else ""
    text = text or _MARK.sub("", _ECHO.sub("", body)).strip()
    return list(dict.fromkeys(each for each in found if 1 <= each <= count)), re.sub(
        r"(?<!\s)\s+([.,;!?])", r"\1", text
    )


def terms_in(text: str) -> bool:
    """Whether ``text`` says anything."""
    return re.search(r"\w\w", text) is not None
