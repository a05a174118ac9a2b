"""What is judged, and what a judge says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mainspring.core.types import Context


@dataclass(frozen=True, slots=True)
class Item:
    """A question with an answer, or with two and more that are compared. ``writer`` is the model that wrote them."""

    answers: tuple[str, ...]
    question: str = ""
    passages: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    writer: str = ""

    @property
    def answer(self) -> str:
        return self.answers[0]


@dataclass(frozen=True, slots=True)
class Judgement:
    """``values`` in [0, 1], one for each answer: of one its score, of several how far it is the best, and together 1.

    ``contradicts``: a comparison of two that came out otherwise in the other order: which one is better is the mean.
    ``details`` are numbers by name: criteria, and how far repeated replies lie apart (``spread``).
    """

    values: tuple[float, ...]
    details: Mapping[str, float] = field(default_factory=dict)
    contradicts: bool = False
    reason: str = ""

    @property
    def value(self) -> float:
        return self.values[0]


class Judge(Protocol):
    """Judges items of its mode."""

    @property
    def state(self) -> str:
        """Of the model behind it: another one whenever scores may be other ones."""
        ...

    async def judge(self, item: Item, context: Context) -> Judgement | None:
        """None: it has nothing to say about it, for example without passages. Calls are made with
        ``context.nested()``. Raises ``MainspringError``."""
        ...


def shares(values: Sequence[float]) -> tuple[float, ...]:
    """``values`` scaled to the sum 1; equal ones if all are 0."""
    total = sum(values)
    return tuple(each / total for each in values) if total > 0 else (1 / len(values),) * len(values)
