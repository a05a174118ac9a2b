"""Judges the content of an answer while it streams: toxic, off the question, unsupported.

Text that may be removed waits in an ``EventQueue`` until it is judged. If findings are only noted, nothing waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

import numpy as np

from mainspring.core.types import Context, Event, Events, Finish, Text, Usage
from mainspring.guards.policy.policies import GuardDecision, GuardPolicy
from mainspring.guards.rewrite.windows import Window, Windows
from mainspring.serving.guard.redaction import Outgoing
from mainspring.serving.judge.event_queue import EventQueue
from mainspring.serving.judge.windows import WindowJudge, WindowReading

PLACEHOLDER = "[REMOVED]"
ALL = 1 << 60
LEAST_WORDS = 12
"""A shorter answer shares too few words with its question for its relevancy to be judged."""
SENTENCES = 3
"""An answer is off its question if none of its first sentences is close to it, and neither are this many sentences
together."""
_ENDING = frozenset({"refuse", "retry"})


class _Choice:
    """The state of one choice."""

    def __init__(self, *, steps: bool) -> None:
        self.windows = Windows(steps=steps)
        self.due: list[Window] = []
        self.reading: list[Window] = []
        self.task: asyncio.Task[None] | None = None
        # The last sentences as vectors, how many words were said in how many, and how near they came to the question.
        self.last: deque[Any] = deque(maxlen=SENTENCES)
        self.words = 0
        self.sentences = 0
        self.nearest = -1.0
        self.settled = False
        self.said = False
        self.left_out = False
        self.stopped = False


class AnswerChecks:
    """Judges one answer. ``final``: there is no further attempt, so ``retry`` refuses. Otherwise the finding is in
    ``wrong``, and the answer stops."""

    def __init__(
        self,
        policy: GuardPolicy,
        judge: WindowJudge | None,
        outgoing: Outgoing,
        question: Sequence[str],
        context: Context,
        *,
        final: bool = True,
    ) -> None:
        answers = policy.answers
        self._policy = policy
        self._answers = answers
        self._judge = judge if answers.judging else None
        self._outgoing = outgoing
        self._question = list(question) if answers.relevancy != "off" else []
        self._asked: Any = None
        self._context = context
        self.final = final
        self.wrong = ""
        self.decisions: list[GuardDecision] = []
        self._counted: Counter[str] = Counter()
        self._acting = bool(answers.actions - {"off", "flag"}) and not policy.dry_run
        waits = self._acting and self._judge is not None
        self._line = EventQueue(answers.held if waits else 0)
        self._waits = waits
        self._whole = False
        self._choices: dict[int, _Choice] = {}
        self._known: dict[str, WindowReading] = {}
        self._spent_before = context.allowance.spent
        self.spent = Usage()
        self._tokens = self._windows = 0

    async def through(self, events: Events) -> AsyncGenerator[Event, None]:
        """The events as they may be shown."""
        closing: list[Event] = []
        async for event in events:
            if isinstance(event, Usage | Finish):
                closing.append(event)
                continue
            for each in self._shown(event):
                self._add(each)
            if type(event) is Text:
                self._line.turn()
            await self._judged(wait=self._line.full)
            if self._ended:
                break
            for leaving in self._leaving(at_once=self._whole or not self._waits):
                yield leaving
        else:
            async for rest in self._rest(closing):
                yield rest
            return
        await events.aclose()
        self.spent = spent(closing, self._spent_before, self._context)
        if not self.wrong:
            for last in self._refused():
                yield last

    async def close(self) -> None:
        """All reading is charged, whatever the outcome."""
        tasks = [choice.task for choice in self._choices.values() if choice.task is not None]
        for task in tasks:
            task.cancel()
        if self._judge is not None and self._tokens:
            await self._judge.charge(self._context, self._tokens, self._windows, dict(self._counted))

    @property
    def _ended(self) -> bool:
        return bool(self.wrong) or (bool(self._choices) and all(each.stopped for each in self._choices.values()))

    # --- what comes in ---------------------------------------------------------------------------------------

    def _shown(self, event: Event) -> Iterator[Event]:
        """The part of ``event`` to be judged, past the redactors."""
        choice = self._choices.get(getattr(event, "choice", 0))
        if choice is not None and choice.stopped:
            return
        if type(event) is Text:
            self._whole = self._whole or event.grounds != ""
            if event.grounds == "unsupported" and not self._supported(event):
                return
            if (shown := self._outgoing.text(event)) is not None:
                yield shown
        else:
            yield from self._outgoing.other(event)

    def _supported(self, event: Text) -> bool:
        """Whether a sentence that no source supports is shown nevertheless."""
        action = self._decide("unsupported", None)
        if action == "redact":
            self._choice(event.choice).left_out = True
            return False
        if action in ("refuse", "retry"):
            self._stop(event.choice)
            return False
        return True

    def _choice(self, number: int) -> _Choice:
        if number not in self._choices:
            self._choices[number] = _Choice(steps=self._waits and self._answers.toxicity in _ENDING)
        return self._choices[number]

    def _add(self, event: Event) -> None:
        if isinstance(event, Text):
            choice = self._choice(event.choice)
            if self._judge is not None:
                choice.due += choice.windows.push(event.text)
            else:
                self._line.judged(event.choice, ALL)
        self._line.add(event)

    # --- what is judged --------------------------------------------------------------------------------------

    async def _judged(self, *, wait: bool) -> None:
        """Process judged windows and start judging new ones; ``wait`` until all are judged."""
        for number, choice in list(self._choices.items()):
            while choice.task is not None or (choice.due and not choice.stopped):
                if choice.task is None:
                    choice.reading, choice.due = choice.due, []
                    choice.task = asyncio.ensure_future(self._read(choice.reading))
                if not (wait or choice.task.done()):
                    break
                task, choice.task = choice.task, None
                await task
                self._take(number, choice)

    async def _read(self, windows: Sequence[Window]) -> None:
        """Have the texts of ``windows`` read, except those that were read before."""
        assert self._judge is not None
        if self._question and self._asked is None:
            self._asked, self._tokens = await self._judge.question(self._question)
        texts = {each.text for each in windows if each.text}
        new = [text for text in sorted(texts) if text not in self._known]
        read = await self._judge.read(new)
        self._windows += len(new)
        self._tokens += sum(each.tokens for each in read)
        self._known.update(zip(new, read, strict=True))

    def _take(self, number: int, choice: _Choice) -> None:
        for window in choice.reading:
            action = ""
            if window.text:
                read = self._known[window.text]
                if self._answers.toxicity != "off":
                    action = self._decide("toxicity", read.toxicity)
                if self._question and window.whole and action not in _ENDING:
                    action = self._near(choice, window, read) or action
            if action in _ENDING:
                self._stop(number)
                return
            if action == "redact":
                lead = " " if window.start else ""
                self._line.replace(number, window.start, window.end, f"{lead}{PLACEHOLDER}")
            if self._answered(choice):
                self._line.judged(number, window.end)

    def _answered(self, choice: _Choice) -> bool:
        """Whether the check against the question allows the text to be shown: there is no question, or the answer has
        come close to it."""
        if not self._question or self._answers.relevancy not in _ENDING:
            return True
        return choice.settled or choice.nearest >= self._answers.relevancy_below

    def _near(self, choice: _Choice, window: Window, read: WindowReading) -> str:
        """The action if the first sentences of an answer come nowhere near its question."""
        choice.last.append(read.vector)
        choice.words += len(window.text.split())
        choice.sentences += 1
        together = np.sum(choice.last, axis=0)
        together /= max(float(np.linalg.norm(together)), 1e-9)
        nearest = max(float((self._asked @ vector).max()) for vector in (read.vector, together))
        choice.nearest = max(choice.nearest, nearest)
        return self._beside(choice) if choice.sentences >= SENTENCES else ""

    def _beside(self, choice: _Choice) -> str:
        if choice.settled or choice.words < LEAST_WORDS:
            return ""
        choice.settled = True
        return self._decide("relevancy", choice.nearest)

    def _decide(self, kind: str, score: float | None) -> str:
        """The action now; the decision is noted."""
        last = "refuse" if self.final else ""
        decision = self._policy.judge_answer(
            kind, score, action=last if getattr(self._answers, kind) == "retry" else ""
        )
        if decision is None:
            return ""
        self._counted[kind] += 1
        self.decisions.append(decision)
        if decision.dry_run:
            return "flag"
        if decision.action == "retry":
            self.wrong = kind
        return decision.action

    # --- what goes out ---------------------------------------------------------------------------------------

    def _leaving(self, *, at_once: bool) -> Iterator[Event]:
        for event in self._line.leaving(at_once=at_once):
            if isinstance(event, Text) and event.text.strip():
                self._choice(event.choice).said = True
            yield event

    def _stop(self, number: int) -> None:
        choice = self._choice(number)
        choice.stopped = True
        if choice.task is not None:
            choice.task.cancel()
            choice.task = None
        self._line.drop(number)

    async def _rest(self, closing: Sequence[Event]) -> AsyncGenerator[Event, None]:
        """The stream has ended: everything is judged, then shown."""
        usages = [event for event in closing if isinstance(event, Usage)]
        finishes = [event for event in closing if isinstance(event, Finish)]
        for finish in finishes:
            for each in self._outgoing.other(finish):
                if not isinstance(each, Finish):
                    self._add(each)
        for each in self._outgoing.end():
            self._add(each)
        for choice in self._choices.values():
            if self._judge is not None and not choice.stopped:
                choice.due += choice.windows.flush()
        await self._judged(wait=True)
        for number, choice in self._choices.items():
            if choice.sentences and not choice.stopped and self._beside(choice) in _ENDING:
                self._stop(number)
            self._line.judged(number, ALL)
        self.spent = spent(usages, self._spent_before, self._context)
        if self.wrong:
            return
        for event in self._leaving(at_once=True):
            yield event
        for choice in self._choices.values():
            # If all of an answer was removed, only the reason is shown.
            choice.stopped = choice.stopped or (choice.left_out and not choice.said)
        for number in self._stopped:
            yield self._reason(number)
        for usage in usages:
            yield usage
        stopped = set(self._stopped)
        for finish in finishes:
            yield Finish("content_filter", finish.choice) if finish.choice in stopped else finish

    @property
    def _stopped(self) -> list[int]:
        return [number for number, choice in sorted(self._choices.items()) if choice.stopped]

    def _refused(self) -> Iterator[Event]:
        """The end of an answer whose choices were all stopped; the model was stopped, too."""
        yield from self._leaving(at_once=True)
        for number in self._stopped:
            yield self._reason(number)
        yield self.spent
        for number in self._stopped:
            yield Finish("content_filter", number)

    def _reason(self, number: int) -> Text:
        lead = "\n\n" if self._choices[number].said else ""
        return Text(f"{lead}{self._answers.reason}", number)


def spent(closing: Sequence[Event], before: Usage, context: Context) -> Usage:
    """The usage of an answer: its own report or, if it was stopped, the account."""
    told = [event for event in closing if isinstance(event, Usage)]
    if told:
        return sum(told, Usage())
    after = context.allowance.spent
    return Usage(
        after.prompt_tokens - before.prompt_tokens,
        after.completion_tokens - before.completion_tokens,
        after.cached_tokens - before.cached_tokens,
        after.cost_nanousd - before.cost_nanousd,
    )
