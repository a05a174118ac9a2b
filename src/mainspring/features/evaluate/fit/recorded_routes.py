"""Turns people's feedback on a small model's recorded answers into rows to fit a router."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.types import EventRecord
from mainspring.features.evaluate.fit.routing import Row
from mainspring.stores.events.log import EventLog

_PAGE = 500


async def from_feedback(events: EventLog, tenant: str, model: str, *, consented: bool) -> list[Row]:
    """Prompts that ``model`` answered and a person rated or edited. Good: rated up, and not edited; the latest counts.

    It leaves out conversations of several turns, answers whose text was not stored and, with ``consented``, requests
    without permission to learn from them.
    """
    opinions: dict[str, bool] = {}
    async for event in _all(events, tenant):
        if consented and not event.consent:
            continue
        opinion = FeedbackFacts.of(event.facts)
        if opinion.edited or opinion.rating in ("up", "down"):
            opinions[event.subject] = opinion.rating == "up" and not opinion.edited
    rows = []
    for answer_id, good in opinions.items():
        found = await events.find(tenant, kind="answer", subject=answer_id, limit=1)
        facts = AnswerFacts.of(found[0].facts) if found else None
        if facts is not None and facts.model == model and (prompt := _prompt(found[0])):
            rows.append(Row(prompt, good, tokens=facts.spent_tokens, source="feedback"))
    return rows


async def _all(events: EventLog, tenant: str) -> AsyncIterator[EventRecord]:
    after: str | None = None
    while page := await events.find(tenant, kind="feedback", after=after, limit=_PAGE):
        for event in page:
            yield event
        after = page[-1].id


def _prompt(answer: EventRecord) -> str:
    if not answer.content:
        return ""
    content: dict[str, Any] = json.loads(answer.content)
    if "prompt" in content:
        return str(content["prompt"])
    said = [message["content"] for message in content.get("messages", ()) if message.get("role") == "user"]
    return str(said[0]) if len(said) == 1 else ""
