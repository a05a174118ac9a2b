"""Candidates for one answer: written, counted and scored by calls that are metered like any other."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from mainspring.core.errors import DeadlineExceeded, MainspringError, Unsupported
from mainspring.core.path import Answer, Choice, collect, together
from mainspring.core.settings.serving.scaling import ScalingPlan
from mainspring.core.types import ChatRequest, Context, Grammar, Message, Responder, Response, Sampling, Usage
from mainspring.serving.ring.repair import Validator, validator
from mainspring.serving.scaling import extract

AT_ONCE = 8
"""Choices of one call; if a responder gives one at a time, calls at a time."""
_RATING = Grammar("regex", "(10|[1-9])")
_JUDGE = (
    "Rate how correct and complete the answer to the question is, from 1 (wrong) to 10 (right). "
    "Reply with the number and nothing else.\n\nQuestion:\n{question}\n\nAnswer:\n{answer}"
)


@dataclass(slots=True)
class AnswerCandidate:
    """One answer, or one way through a tree. ``logprob`` is the mean of its tokens, None if it is not known."""

    text: str
    reasoning: str = ""
    answer: str | None = None
    logprob: float | None = None
    score: float = 0.0
    finish: str = "stop"


@dataclass(slots=True)
class CallTotals:
    """The usage of the calls for one answer, and their number."""

    usage: Usage = field(default_factory=Usage)
    calls: int = 0

    def add(self, answer: Answer) -> None:
        self.usage = self.usage + answer.usage
        self.calls += 1


class Sampler:
    """Asks ``inner`` for candidates of ``request`` within the caller's allowance and deadline."""

    def __init__(self, inner: Responder, request: ChatRequest, context: Context, plan: ScalingPlan) -> None:
        self.spent = CallTotals()
        self._inner = inner
        self._request = request
        self._context = context.nested()
        self._plan = plan
        self._check: Validator | None = None
        self._judges_held = True
        if plan.score == "schema" and request.sampling.grammar is not None:
            self._check = validator(request.sampling.grammar)

    def exhausted(self) -> bool:
        """Whether tokens, money or time are used up."""
        allowance, remaining = self._context.allowance, self._context.remaining()
        return any(left is not None and left <= 0 for left in (allowance.tokens, allowance.money, remaining))

    async def open(self, request: ChatRequest, count: int) -> tuple[Response, int]:
        """The first call for ``count`` candidates and how many of them it writes. Raises the errors of the call."""
        width = min(count, AT_ONCE)
        if width > 1:
            try:
                return await self._inner.respond(_wide(request, width), self._context), width
            except Unsupported as error:
                if error.param != "n":
                    raise
        return await self._inner.respond(request, self._context), 1

    async def rest(
        self, request: ChatRequest, first: Response, width: int, count: int
    ) -> AsyncGenerator[list[AnswerCandidate], None]:
        """All ``count`` candidates, as they become ready. A later call that fails is left out."""
        answer = await collect(first)
        self.spent.add(answer)
        yield self._read(answer)
        done = width
        while done < count and not self.exhausted():
            batch = [min(width, count - done)] if width > 1 else [1] * min(AT_ONCE, count - done)
            asked = [_wide(_shifted(request, done + index), each) for index, each in enumerate(batch)]
            answers = await asyncio.gather(*[self._ask(each) for each in asked], return_exceptions=True)
            done += sum(batch)
            for found in answers:
                if isinstance(found, MainspringError):
                    continue
                if isinstance(found, BaseException):
                    raise found
                yield self._read(found)

    async def several(self, request: ChatRequest, count: int) -> list[AnswerCandidate]:
        """``count`` candidates at once."""
        first, width = await self.open(request, count)
        return [each async for some in self.rest(request, first, width, count) for each in some]

    async def score(self, candidates: Sequence[AnswerCandidate]) -> None:
        """Give each candidate its score. Raises ``DeadlineExceeded`` if there is no time left for a judge."""
        if self._plan.score == "judge":
            for start in range(0, len(candidates), AT_ONCE):
                if self.exhausted():
                    raise DeadlineExceeded("the allowance or the deadline was used up before the judge had rated all")
                some = candidates[start : start + AT_ONCE]
                for each, rating in zip(some, await together(*map(self._judged, some)), strict=True):
                    each.score = rating
            return
        for each in candidates:
            each.score = self._scored(each)

    def _scored(self, candidate: AnswerCandidate) -> float:
        likely = candidate.logprob if candidate.logprob is not None else -20.0
        match self._plan.score:
            case "arithmetic":
                # Among answers with equally valid sums the likelier one: log-probabilities decide no more than that.
                return extract.arithmetic(candidate.text) + likely / 1000
            case "schema" if self._check is not None:
                return (0.0 if self._check(candidate.text)[1] else 1.0) + likely / 1000
            case _:
                return likely

    async def _judged(self, candidate: AnswerCandidate) -> float:
        question = next((each.content for each in reversed(self._request.messages) if each.role == "user"), "")
        text = _JUDGE.format(question=question, answer=candidate.text)
        model = self._plan.judge or self._request.model
        sampling = Sampling(max_tokens=4, temperature=0.0, grammar=_RATING if self._judges_held else None)
        request = ChatRequest(model, (Message("user", text),), sampling, store=False)
        try:
            answer = await self._ask(request)
        except Unsupported:
            if not self._judges_held:
                raise
            self._judges_held = False
            return await self._judged(candidate)
        found = re.search(r"\b(10|[1-9])\b", answer.text)
        return float(found[1]) if found else 0.0

    async def _ask(self, request: ChatRequest) -> Answer:
        answer = await collect(await self._inner.respond(request, self._context))
        self.spent.add(answer)
        return answer

    def _read(self, answer: Answer) -> list[AnswerCandidate]:
        return [self._candidate(choice) for choice in answer.choices]

    def _candidate(self, choice: Choice) -> AnswerCandidate:
        values = [each.logprob for each in choice.logprobs]
        mean = sum(values) / len(values) if values else None
        found = extract.answer(choice.text, self._plan.answer)
        return AnswerCandidate(choice.text, choice.reasoning, found, mean, finish=choice.finish or "stop")


def _wide(request: ChatRequest, width: int) -> ChatRequest:
    return dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, n=width))


def _shifted(request: ChatRequest, by: int) -> ChatRequest:
    seed = request.sampling.seed
    if seed is None:
        return request
    return dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, seed=seed + by))
