"""Bodies of requests about judges, and judges as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from mainspring.core.errors import MainspringError
from mainspring.features.judges.definitions.definition import NAME
from mainspring.features.judges.figures.changed import Planned
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.service import GivenJudgement
from mainspring.features.judges.store.definitions import StoredJudge
from mainspring.features.judges.store.measurements import Measurement
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
    model: Annotated[str, Field(max_length=256, description="Model that wrote the answer")] = ""

    @model_validator(mode="after")
    def _one(self) -> ItemBody:
        if (self.answer is None) == (not self.answers):
            raise ValueError("send either answer or answers")
        return self

    def item(self) -> Item:
        answers = tuple(self.answers) if self.answer is None else (self.answer,)
        return Item(answers, self.question, tuple(self.passages), tuple(self.references), self.model)


class RunBody(Body):
    """``POST /v1/judges/{name}/run``."""

    items: Annotated[list[ItemBody], Field(min_length=1, max_length=MOST_ITEMS, fail_fast=True)]


class LabelledBody(ItemBody):
    """A labelled item. The label is 0 to 1 for one answer; for a pair 1 (the first is better), 0 or .5 (a tie)."""

    label: Annotated[float, Field(ge=0, le=1)]


class MeasureBody(Body):
    """``POST /v1/judges/{name}/measure``. Labels come with the request, from a data set, or from a review
    queue (``queue``; "": all queues)."""

    items: Annotated[list[LabelledBody], Field(default_factory=list, max_length=5_000, fail_fast=True)]
    dataset: Annotated[str | None, Field(max_length=128)] = None
    version: Annotated[int | None, Field(ge=1, description="Version of the data set; default: the newest")] = None
    queue: Annotated[str | None, Field(max_length=128)] = None
    criterion: Annotated[str, Field(max_length=64, description="Criterion of the labels; default: approval")] = ""
    days: Annotated[float, Field(gt=0, le=3650, description="Maximum age of labels in days")] = 90.0
    limit: Annotated[int | None, Field(ge=1, le=5_000, description="Maximum number of labelled items")] = None

    def labelled(self) -> list[Planned]:
        return [Planned(each.item(), each.label) for each in self.items]


class EstimateBody(Body):
    """``POST /v1/judges/{name}/estimate``."""

    application: Annotated[str, Field(min_length=1, max_length=256)]
    queue: Annotated[str | None, Field(max_length=128)] = None
    criterion: Annotated[str, Field(max_length=64, description="Criterion of the labels; default: approval")] = ""
    days: Annotated[float, Field(gt=0, le=3650, description="Maximum age of answers in days")] = 30.0
    limit: Annotated[int, Field(ge=0, le=5_000, description="Maximum number of unlabelled answers that are judged")] = (
        500
    )


class FitBody(Body):
    """``POST /v1/judges/{name}/fit``."""

    into: Annotated[str, Field(pattern=NAME, description="Name of the combined judge")]


def measurement_body(measurement: Measurement) -> dict[str, Any]:
    """A ``judge.measurement`` object."""
    states = {"waiting": "queued", "done": "completed"}
    return {
        "object": "judge.measurement",
        "id": measurement.id,
        "kind": measurement.kind,
        "judge": measurement.judge,
        "version": measurement.version,
        "status": states.get(measurement.state, measurement.state),
        "error": measurement.error or None,
        "asked": {
            name: value for name, value in measurement.asked.items() if name != "key_id" and value not in ("", None)
        },
        "items": measurement.items,
        "judged": measurement.done,
        "figures": measurement.figures,
        "created_at": int(measurement.created_at),
        "finished_at": None if measurement.finished_at is None else int(measurement.finished_at),
    }


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


def given_body(asked: str, given: GivenJudgement) -> dict[str, Any]:
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


def failed_body(asked: str, judge: str, error: MainspringError) -> dict[str, Any]:
    """A ``judgement`` object of an item that could not be judged."""
    body: dict[str, Any] = {"object": "judgement", "id": None, "item": asked or None, "judge": judge}
    return body | {"score": None, "scores": [], "details": {}, "error": {"code": error.code, "message": error.message}}
