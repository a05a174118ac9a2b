"""Judges that are made of others: a jury, a fitted combination, and agreement with further answers (SelfCheck)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Responder, Sampling
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.judging.items import Item, Judge, Judgement, shares
from mainspring.guards.rewrite.spotlight import Spotlight

_TEMPERATURE = 0.8
_TOKENS = 256


class Seat(Protocol):
    """A judge of a jury, with its name, its weight and the score from which it approves."""

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> float: ...

    @property
    def threshold(self) -> float: ...

    @property
    def judge(self) -> Judge: ...


class Jury:
    """The weighted mean of the members' scores, or of their votes. Members who have nothing to say have no vote."""

    def __init__(self, definition: Definition, seats: Sequence[Seat], state: str) -> None:
        self._told = definition
        self._seats = seats
        self.state = state

    async def judge(self, item: Item, context: Context) -> Judgement | None:
        """None if no member says anything."""
        found = [(seat, await seat.judge.judge(item, context)) for seat in self._seats]
        said = [(seat, each) for seat, each in found if each is not None]
        total = sum(seat.weight for seat, _ in said)
        if not total:
            return None
        sums = [0.0] * len(item.answers)
        for seat, each in said:
            for place, value in enumerate(
                _votes(each, seat.threshold) if self._told.vote == "majority" else each.values
            ):
                sums[place] += seat.weight * value
        details = {seat.name: each.value for seat, each in said}
        return Judgement(tuple(each / total for each in sums), details, any(each.contradicts for _, each in said))


class Combined:
    """A logistic model over the members' scores; ``intercept`` and weights were fitted to people's labels. It says
    nothing where a member does."""

    def __init__(self, definition: Definition, seats: Sequence[Seat], state: str) -> None:
        self._intercept = definition.intercept
        self._seats = seats
        self.state = state

    async def judge(self, item: Item, context: Context) -> Judgement | None:
        found = [await seat.judge.judge(item, context) for seat in self._seats]
        if any(each is None for each in found):
            return None
        said = [each for each in found if each is not None]
        values = []
        for place in range(len(item.answers)):
            told = zip(self._seats, said, strict=True)
            logit = self._intercept + sum(seat.weight * each.values[place] for seat, each in told)
            values.append(1 / (1 + math.exp(-max(-500.0, min(500.0, logit)))))
        details = {seat.name: each.value for seat, each in zip(self._seats, said, strict=True)}
        return Judgement(tuple(values) if len(values) == 1 else shares(values), details)


class ByConsistency:
    """SelfCheck (Manakul, Liusie and Gales, EMNLP 2023): the model answers the same question a few times more, and an
    answer is as trustworthy as those support it. ``supported`` scores an item whose passages are those answers."""

    def __init__(
        self,
        definition: Definition,
        responder: Responder,
        model: str,
        supported: Callable[[Item, Context], Awaitable[Judgement | None]],
        state: str,
    ) -> None:
        self._samples = definition.samples
        self._responder = responder
        self._model = model
        self._supported = supported
        self.state = state

    async def judge(self, item: Item, context: Context) -> Judgement | None:
        """None without a question. Raises the model's errors."""
        if not item.question:
            return None
        others = [await self._another(item, context) for _ in range(self._samples)]
        values = []
        for answer in item.answers:
            found = [
                await self._supported(Item((answer,), passages=(other,)), context) for other in others if other.strip()
            ]
            values.append(statistics.fmean(each.value for each in found if each is not None) if any(found) else 0.0)
        spread = statistics.pstdev([len(each) for each in others]) if len(others) > 1 else 0.0
        return Judgement(tuple(values) if len(values) == 1 else shares(values), {"spread of lengths": spread})

    async def _another(self, item: Item, context: Context) -> str:
        light = Spotlight()
        passages = "\n\n".join(light.wrap(each, "passage") for each in item.passages)
        asked = f"{passages}\n\n{item.question}" if passages else item.question
        messages = [Message("system", light.instruction)] if passages else []
        request = ChatRequest(
            self._model,
            (*messages, Message("user", asked)),
            sampling=Sampling(max_tokens=_TOKENS, temperature=_TEMPERATURE),
            store=False,
        )
        return (await collect(await self._responder.respond(request, context.nested()))).text


def _votes(judgement: Judgement, threshold: float) -> tuple[float, ...]:
    if len(judgement.values) == 1:
        return (float(judgement.value >= threshold),)
    best = max(judgement.values)
    winners = [float(each == best) for each in judgement.values]
    return shares(winners)
