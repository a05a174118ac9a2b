"""Bodies of requests about judges, and judges as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.service import Given
from mainspring.features.judges.store.definitions import StoredJudge
from mainspring.http.bodies import Body
from mainspring.serving.money.pricing import NANO

MOST_ITEMS = 64
_Long = Annotated[str, Field(max_length=100_000)]


class ItemBody(Body):
    """A question with one answer, or with several to be compared."""

    id: Annotated[str, Field(max_length=128)] = ""
    question: _Long = ""
    answer: _Long | None = None
    answers: Annotated[list[_Long], Field(default_factory=list, max_length=10, fail_fast=True)]
    passages: Annotated[list[_Long], Field(default_factory=list, max_length=50, fail_fast=True)]
    references: Annotated[list[_Long], Field(default_factory=list, max_length=20, fail_fast=True)]
    model: Annotated[str, Field(max_length=256, description="That wrote the answer")] = ""

    @model_validator(mode="after")
    def _one(self) -> ItemBody:
        if (self.answer is None) == (not self.answers):
            raise ValueError("name either answer or answers")
        return self

    def item(self) -> Item:
        answers = tuple(self.answers) if self.answer is None else (self.answer,)
        return Item(answers, self.question, tuple(self.passages), tuple(self.references), self.model)


class RunBody(Body):
    """``POST /v1/judges/{name}/run``."""

    items: Annotated[list[ItemBody], Field(min_length=1, max_length=MOST_ITEMS, fail_fast=True)]


def judge_body(stored: StoredJudge, published: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A ``judge`` object."""
    return {
        "object": "judge",
        "name": stored.name,
        "number": stored.number,
        "shipped": stored.number == 0,
        "definition": stored.definition.plain() | {"kind": stored.definition.kind, "mode": stored.definition.mode},
        "created_at": int(stored.created_at) or None,
        "published": published,
    }


def given_body(asked: str, given: Given) -> dict[str, Any]:
    """A ``judgement`` object."""
    found = given.judgement
    body: dict[str, Any] = {"object": "judgement", "id": given.id, "item": asked or None, "judge": given.judge}
    if found is None:
        body |= {"score": None, "scores": [], "details": {}}
    else:
        single = len(found.values) == 1
        body |= {"score": round(found.value, 6) if single else None}
        body |= {"scores": [round(each, 6) for each in found.values]}
        body |= {"details": {name: round(value, 6) for name, value in found.details.items()}}
        body |= {"contradicts": found.contradicts, "reason": found.reason or None}
    return body | {
        "trace_id": given.trace_id,
        "tokens": given.usage.total_tokens,
        "cost_usd": given.usage.cost_nanousd / NANO,
        "seconds": round(given.seconds, 4),
    }
