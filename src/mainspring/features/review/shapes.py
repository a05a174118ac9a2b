"""Queues, items and labels as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.review.definition import Queue
from mainspring.features.review.store.filling import ADJUDICATE, DONE, OPEN
from mainspring.features.review.store.labels import LeasedItem
from mainspring.features.review.store.verdicts import GivenLabel
from mainspring.features.review.work.showing import ReviewedAnswer


def queue_body(queue: Queue, counts: Mapping[str, int]) -> dict[str, Any]:
    """A ``review.queue``; ``items`` are counted by state, answers by stratum."""
    return {
        "object": "review.queue",
        "id": queue.id,
        "name": queue.name,
        "version": queue.version,
        "definition": queue.definition.model_dump(),
        "guideline": queue.guideline,
        "items": {state: counts.get(state, 0) for state in (OPEN, ADJUDICATE, DONE)},
        "strata": {
            name: {
                "seen": queue.seen.get(name, 0),
                "entered": queue.entered.get(name, 0),
                "dropped": queue.dropped.get(name, 0),
            }
            for name in sorted({*queue.seen, *queue.entered, *queue.dropped})
        },
        "created_by": queue.created_by,
        "created_at": queue.created_at,
        "updated_at": queue.updated_at,
    }


def item_body(row: sa.Row[Any]) -> dict[str, Any]:
    """A ``review.item`` without texts."""
    return {
        "object": "review.item",
        "id": row.id,
        "answer_id": row.answer_id,
        "trace_id": row.trace_id,
        "application": row.application,
        "stratum": row.stratum,
        "probability": row.probability,
        "state": row.state,
        "needs": row.needs,
        "given": row.given,
        "result": rows.load(row.result) or None,
        "answered_at": row.answered_at,
        "created_at": row.added_at,
        "done_at": row.done_at,
    }


def shown_body(shown: ReviewedAnswer) -> dict[str, Any]:
    """The texts of an item."""
    return {
        "question": shown.question,
        "messages": list(shown.messages),
        "answer": shown.text,
        "citations": list(shown.citations),
        "passages": list(shown.passages),
    }


def task_body(taken: LeasedItem, shown: ReviewedAnswer, earlier: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A ``review.task``: what a reviewer holds. It does not tell why the answer is here, nor what others said of it,
    except to who decides between them (``earlier``)."""
    return {
        "object": "review.task",
        "item_id": taken.item.id,
        "answer_id": taken.item.answer_id,
        "trace_id": taken.item.trace_id,
        "application": taken.item.application,
        "adjudicates": taken.item.state == ADJUDICATE,
        "earlier": list(earlier),
        "taken_at": taken.taken_at,
        "lease_until": taken.lease_until,
        **shown_body(shown),
    }


def label_body(
    given: GivenLabel, *, comment: str = "", edit: str | None = None, by: str | None = None
) -> dict[str, Any]:
    """A ``review.label``; ``by`` in place of the person's name."""
    return {
        "object": "review.label",
        "id": given.id,
        "item_id": given.item_id,
        "by": given.by if by is None else by,
        "scores": dict(given.scores),
        "approved": given.approved,
        "errors": list(given.errors),
        "comment": comment,
        "edit": edit,
        "adjudicated": given.adjudicated,
        "seconds": given.seconds,
        "version": given.version,
        "created_at": given.at,
    }
