"""What the events of an answer change: pure functions of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.facts.retrievals import RetrievalFacts

Entity = Literal["user", "document"]
ENTITIES: tuple[Entity, ...] = ("user", "document")
SEEN: Mapping[str, str] = {"user": "questions", "document": "cited"}
"""The feature whose last change is an entity's ``last_seen``."""


@dataclass(frozen=True, slots=True)
class AnswerEvent:
    """An event about an answer."""

    id: str
    at: float
    facts: Facts


@dataclass(frozen=True, slots=True)
class Change:
    """``name`` of an entity grows by ``value`` at ``at`` (Unix seconds)."""

    entity: Entity
    id: str
    event_id: str
    name: str
    at: float
    value: float


def changes(told: Sequence[AnswerEvent], person: str, cited: Sequence[str]) -> Iterator[Change]:
    """The changes by all events of one answer: to ``person`` (empty: nobody is named), and to the documents that it
    shows and cites. Each change has the time of the event that brought it, never of the answer."""
    answer = next((each for each in told if isinstance(each.facts, AnswerFacts)), None)
    if answer is None or answer.facts.replay_of:
        return
    if person:
        yield Change("user", person, answer.id, "questions", answer.at, 1.0)
    for document in dict.fromkeys(cited):
        yield Change("document", document, answer.id, "cited", answer.at, 1.0)
    for each in told:
        match each.facts:
            case RetrievalFacts(hits=hits):
                for document in dict.fromkeys(hit.document_id for hit in hits):
                    yield Change("document", document, each.id, "shown", each.at, 1.0)
            case FeedbackFacts(rating=rating) if rating in ("up", "down"):
                yield from _thumbs(each, each.facts, person, cited)


def _thumbs(told: AnswerEvent, facts: FeedbackFacts, person: str, cited: Sequence[str]) -> Iterator[Change]:
    whom: list[tuple[Entity, str]] = [("user", person)] if person else []
    whom += [("document", document) for document in dict.fromkeys(cited)]
    if facts.instead_of == facts.rating:
        return
    for entity, name in whom:
        yield Change(entity, name, told.id, f"thumbs_{facts.rating}", told.at, 1.0)
        if facts.instead_of in ("up", "down"):
            # The same person thought otherwise before.
            yield Change(entity, name, told.id, f"thumbs_{facts.instead_of}", told.at, -1.0)


def folded(entity: str, found: Sequence[tuple[str, float, float]]) -> dict[str, float]:
    """The features after changes (``name``, sum of ``value``, latest ``at``)."""
    made = {name: value for name, value, _ in found}
    seen = [at for name, _, at in found if name == SEEN[entity]]
    return made | ({"last_seen": max(seen)} if seen else {})


def grown(entity: str, features: Mapping[str, Any], new: Sequence[Change]) -> dict[str, float]:
    """The features with further changes, in any order."""
    made = dict(features)
    for change in new:
        made[change.name] = made.get(change.name, 0.0) + change.value
        if change.name == SEEN[entity]:
            made["last_seen"] = max(made.get("last_seen", change.at), change.at)
    return made
