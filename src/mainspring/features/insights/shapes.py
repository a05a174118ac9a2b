"""Insights as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mainspring.features.insights.analysis.sentiment as sentiment
import mainspring.stores.sql.rows as rows
from mainspring.features.insights.analysis import trends
from mainspring.features.insights.analysis.outcomes import OUTCOMES
from mainspring.features.insights.analysis.trends import Step
from mainspring.features.insights.store.faqs import Entry
from mainspring.features.insights.store.views import Counted, Group, Period
from mainspring.features.insights.work.gaps import Gap, reasons


def group_body(group: Group, total: int, period: Period, step: Step, deviations: float) -> dict[str, Any]:
    """Conversations counted together, as a share of ``total``."""
    points = trends.series(group.times, step, period.since, period.until, deviations)
    return {
        "conversations": group.count,
        "share": round(group.count / total, 4) if total else 0.0,
        "outcomes": {name: group.outcomes[name] for name in OUTCOMES},
        "resolved": group.resolved,
        "sentiment": group.sentiment,
        "sentiment_course": group.course,
        "trend": [{"day": each.day.isoformat(), "count": each.count, "spike": each.spike} for each in points],
    }


def topics_body(
    known: Sequence[Any], counted: Counted, period: Period, step: Step, deviations: float
) -> dict[str, Any]:
    """The list of topics, most frequent first. ``other`` are the conversations without a topic."""
    total, without = counted.total.count, counted.topics.get("", Group())
    found = [topic_body(row, counted.topics.get(row.id, Group()), total, period, step, deviations) for row in known]
    found.sort(key=lambda each: (-each["conversations"], each["created_at"]))
    return {"object": "list", "data": found, "other": group_body(without, total, period, step, deviations)}


def topic_body(row: Any, group: Group, total: int, period: Period, step: Step, deviations: float) -> dict[str, Any]:
    """An ``insights.topic`` object."""
    return {
        "id": row.id,
        "object": "insights.topic",
        "name": row.name,
        "named_by": row.named_by,
        "words": rows.load(row.words),
        "pinned": row.pinned,
        "created_at": int(row.created_at),
        **group_body(group, total, period, step, deviations),
    }


def conversation_body(row: Any, opening: str | None) -> dict[str, Any]:
    """An ``insights.conversation`` object; ``opening`` is what was asked first, if it may be seen."""
    return {
        "id": row.id,
        "object": "insights.conversation",
        "session_id": row.session_id or None,
        "application": row.application,
        "opening": opening,
        "started_at": int(row.started_at),
        "ended_at": int(row.ended_at),
        "turns": row.turns,
        "topic": row.topic or None,
        "outcome": row.outcome,
        "why": row.why,
        "sentiment": row.sentiment,
        "sentiment_course": row.course,
        "mood": sentiment.label(row.sentiment),
    }


def turn_body(row: Any, text: str | None) -> dict[str, Any]:
    """A turn of a conversation; ``text`` is the customer's, if it may be seen."""
    return {
        "answer_id": row.id,
        "trace_id": row.trace_id,
        "at": int(row.at),
        "text": text,
        "topic": row.topic or None,
        "sentiment": row.sentiment,
        "mood": sentiment.label(row.sentiment),
        "refused": row.refused,
        "rating": row.rating or None,
        "unsupported": row.unsupported,
        "tools_ok": row.tools_ok,
        "tools_failed": row.tools_failed,
    }


def gap_body(gap: Gap) -> dict[str, Any]:
    """An ``insights.gap`` object."""
    near = gap.nearest
    return {
        "object": "insights.gap",
        "question": gap.question,
        "turns": gap.turns,
        "conversations": gap.conversations,
        "reasons": dict(gap.reasons),
        "recent": gap.recent,
        "earlier": gap.turns - gap.recent,
        "first_at": int(gap.first_at),
        "last_at": int(gap.last_at),
        "topic": gap.topic or None,
        "nearest": None
        if near is None
        else {
            "collection": near.collection,
            "document_id": near.document_id,
            "source": near.source,
            "text": near.text,
            "score": near.score,
        },
        "examples": [
            {
                "text": text,
                "trace_id": row.trace_id,
                "conversation_id": row.conversation,
                "at": int(row.at),
                "reasons": reasons(row),
            }
            for row, text in gap.examples
        ],
    }


def entry_body(entry: Entry) -> dict[str, Any]:
    """An ``insights.faq`` object."""
    return {
        "id": entry.id,
        "object": "insights.faq",
        "question": entry.question,
        "answer": entry.answer,
        "citations": list(entry.citations),
        "answer_ids": list(entry.answers),
        "conversations": entry.conversations,
        "topic": entry.topic or None,
        "status": entry.status,
        "decided_by": entry.decided_by or None,
        "created_at": int(entry.created_at),
        "updated_at": int(entry.updated_at),
    }
