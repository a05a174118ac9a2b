"""A chat model as judge: pointwise, pairwise in both orders, listwise with each answer in each place."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from mainspring.core.types import Context
from mainspring.features.judges.definitions.definition import Criterion, Definition, Part
from mainspring.features.judges.judging.asking import Asking, scaled
from mainspring.features.judges.judging.items import Item, Judgement, shares
from mainspring.features.judges.judging.replies import Reply
from mainspring.rag.text import sentences

MOST_SENTENCES = 24
# A preference that is nearer to none is a tie: engines tell probabilities as coarsely.
_TIE = 0.005


class ByChat:
    """Judges as ``definition`` says. ``turned`` names the replies of a scale in the other order. Raises ``EngineError``
    for a reply that is not on the scale."""

    def __init__(self, definition: Definition, asking: Asking, state: str, *, turned: bool = False) -> None:
        self._told = definition
        self._asking = asking
        self._turned = turned
        self.state = state

    async def judge(self, item: Item, context: Context) -> Judgement | None:
        """None for an answer without words, and without passages where only they and the answer are shown."""
        if not all(each.strip() for each in item.answers):
            return None
        if "passages" in self._told.shows and "question" not in self._told.shows and not item.passages:
            return None
        if self._told.mode == "pairwise":
            return await self._pair(item, context)
        if self._told.mode == "listwise":
            return await self._list(item, context)
        if self._told.unit == "sentence":
            return await self._by_sentence(item, context)
        return await self._point(item, item.answer, context)

    async def _by_sentence(self, item: Item, context: Context) -> Judgement | None:
        said = [item.answer[each.start : each.end] for each in sentences.split(item.answer)][:MOST_SENTENCES]
        found = [await self._point(item, each, context) for each in said]
        values = [each.value for each in found]
        details = {"sentences": float(len(values)), "least": min(values)}
        return Judgement((statistics.fmean(values),), details)

    async def _point(self, item: Item, answer: str, context: Context) -> Judgement:
        texts = [*self._shown(item), ("answer", answer)]
        total = weight = spread = 0.0
        details: dict[str, float] = {}
        for name, criterion in self._told.criteria.items():
            replies = await self._ask(criterion, texts, context)
            values = [each.expected(criterion.scale) for each in replies]
            score = statistics.fmean(values)
            total, weight = total + criterion.weight * score, weight + criterion.weight
            spread = max(spread, statistics.pstdev(values))
            details[name] = score
            details[f"{name} graded"] = float(all(each.graded for each in replies))
        if self._told.samples > 1:
            details["spread"] = spread
        return Judgement((total / weight,), details)

    async def _pair(self, item: Item, context: Context) -> Judgement:
        first, second = item.answers[:2]
        one = await self._prefers(item, first, second, context)
        other = 1 - await self._prefers(item, second, first, context)
        # A small model prefers the first place nearly always. Over both orders that cancels out, and what it prefers of
        # the answers is left (balanced position calibration; Wang et al. 2023). Without probabilities it is a tie.
        contradicts = (one - 0.5) * (other - 0.5) < 0
        value = (one + other) / 2
        value = 0.5 if abs(value - 0.5) < _TIE else value
        return Judgement((value, 1 - value), {"first": one, "second": other}, contradicts)

    async def _prefers(self, item: Item, first: str, second: str, context: Context) -> float:
        """The probability with which the one that is shown first is preferred."""
        (criterion,) = self._told.criteria.values()
        texts = [*self._shown(item), ("answer A", first), ("answer B", second)]
        replies = await self._asking.ask(
            self._instruction(criterion), texts, ("A", "B"), context, samples=self._told.samples
        )
        return statistics.fmean(each.chances["A"] for each in replies)

    async def _list(self, item: Item, context: Context) -> Judgement:
        (criterion,) = self._told.criteria.values()
        size = len(item.answers)
        labels = [chr(ord("A") + place) for place in range(size)]
        sums, bests = [0.0] * size, []
        for turn in range(size):
            order = [(turn + place) % size for place in range(size)]
            texts = [(f"answer {labels[place]}", item.answers[each]) for place, each in enumerate(order)]
            replies = await self._asking.ask(
                self._instruction(criterion),
                [*self._shown(item), *texts],
                labels,
                context,
                samples=self._told.samples,
            )
            for reply in replies:
                bests.append(order[labels.index(reply.likeliest)])
                for place, each in enumerate(order):
                    sums[each] += reply.chances[labels[place]]
        return Judgement(shares(sums), {"agreement": max(map(bests.count, bests)) / len(bests)})

    async def _ask(self, criterion: Criterion, texts: Sequence[tuple[str, str]], context: Context) -> list[Reply]:
        labels = scaled(criterion.scale)[:: -1 if self._turned else 1]
        return await self._asking.ask(self._instruction(criterion), texts, labels, context, samples=self._told.samples)

    def _instruction(self, criterion: Criterion) -> str:
        return f"{self._told.task} {criterion.question}".strip()

    def _shown(self, item: Item) -> list[tuple[str, str]]:
        parts: dict[Part, Sequence[str]] = {
            "passages": item.passages,
            "question": (item.question,) if item.question else (),
            "references": item.references,
        }
        names = {"passages": "passage", "question": "question", "references": "reference"}
        return [(names[part], text) for part in self._told.shows if part != "answer" for text in parts.get(part, ())]
