"""A plan: the queries that replace the question in the search, and the cost of finding them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Progress


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a plan.

    ``text`` is searched by words and by meaning. If they differ, ``lexical`` is the text for the word search and
    ``dense`` the text to embed; the embeddings of ``passages`` (hypothetical answers) are averaged with it. ``vector``,
    float32 of shape (dimensions,), L2-normalised, takes the place of all embedding. ``weight`` is its part in the fused
    score.
    """

    text: str
    lexical: str | None = None
    dense: str | None = None
    passages: tuple[str, ...] = ()
    vector: Any | None = None
    weight: float = 1.0


@dataclass(slots=True)
class PlanStep:
    """The effect of one technique. ``note`` says why where it did nothing; ``tokens`` are a model's, read and
    written."""

    name: str
    milliseconds: float = 0.0
    tokens: int = 0
    changed: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """Queries, the first of which represents the question itself, and the steps that made them, in order.

    ``top_k`` is how many passages the question deserves (None: as many as usual).
    """

    queries: tuple[Query, ...]
    steps: tuple[PlanStep, ...] = ()
    top_k: int | None = None

    @classmethod
    def of(cls, text: str) -> QueryPlan:
        """The plan that searches ``text`` unchanged. Raises ``InvalidRequest`` for an empty one."""
        return cls((Query(text),)).checked()

    def checked(self) -> QueryPlan:
        """This plan. Raises ``InvalidRequest`` if a query is empty, ``ValueError`` if there is none."""
        if not self.queries or not any(query.weight > 0 for query in self.queries):
            raise ValueError("a plan needs a query with a weight")
        if not all(query.text.strip() for query in self.queries):
            raise InvalidRequest("the query is empty", param="query")
        return self

    @property
    def text(self) -> str:
        """The current form of the question."""
        return self.queries[0].text

    @property
    def tokens(self) -> int:
        """Tokens that models spent on this plan."""
        return sum(step.tokens for step in self.steps)

    def also(self, *queries: Query) -> QueryPlan:
        """This plan with further queries."""
        return replace(self, queries=(*self.queries, *queries))

    def progress(self) -> list[Progress]:
        """An event for each step: its name, its milliseconds, its tokens, and its result."""
        return [Progress(f"query.{step.name}", described(step)) for step in self.steps]


def described(step: PlanStep) -> str:
    """A step in a few words."""
    spent = f", {step.tokens} tokens" if step.tokens else ""
    done = "" if step.changed else " unchanged"
    return f"{step.milliseconds:.1f} ms{spent}{done}{f': {step.note}' if step.note else ''}"


@dataclass(slots=True)
class Steps:
    """Collects the steps of a plan while it is made."""

    done: list[PlanStep] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[PlanStep]:
        """Measures the time of the block."""
        step = PlanStep(name)
        begun = time.perf_counter()
        try:
            yield step
        finally:
            step.milliseconds = (time.perf_counter() - begun) * 1000
            self.done.append(step)


def unique(queries: Sequence[Query]) -> tuple[Query, ...]:
    """Queries without repetitions of earlier ones, which take over their weight."""
    found: dict[tuple[object, ...], Query] = {}
    for query in queries:
        key = (" ".join(query.text.lower().split()), query.lexical, query.dense, query.passages, id(query.vector))
        known = found.get(key)
        found[key] = query if known is None else replace(known, weight=known.weight + query.weight)
    return tuple(found.values())
