"""What a reviewer sees of an answer: the conversation, the answer, its citations, and the passages behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import NotFound
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.rag.answer.passages import Passages
from mainspring.stores import Stores
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.schema import contents, events

MOST_PASSAGES = 8
MOST_MESSAGES = 50


@dataclass(frozen=True, slots=True)
class ReviewedAnswer:
    """An answer with what led to it. ``messages`` are the request's, without the system's. ``passages`` are texts, if
    all still exist."""

    answer: EventRecord
    messages: Sequence[Mapping[str, Any]]
    text: str
    citations: Sequence[Mapping[str, Any]]
    passages: Sequence[str]

    @property
    def question(self) -> str:
        """The last message of the user."""
        return next((str(each["content"]) for each in reversed(self.messages) if each["role"] == "user"), "")


class Showing:
    """Reads answers for people who may see them."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._passages = Passages(stores.collections, stores.vectors)

    async def answer(self, principal: Principal, answer_id: str, *, passages: bool = True) -> ReviewedAnswer:
        """Raises ``NotFound``: its text is gone, or the principal may not see it."""
        seen = await self.answers(principal, [answer_id])
        if not seen:
            raise NotFound(f"the text of answer {answer_id} is gone, or hidden from you", param="answer_id")
        # Hidden sources hide the answer already: see ``visible_events``.
        return await self._with_passages(seen[0]) if passages else seen[0]

    async def whole(self, tenant: str, answer_id: str) -> ReviewedAnswer:
        """With passages, for work on behalf of the whole tenant. Raises ``NotFound``: its text is gone."""
        answer = await self._stores.events.get(tenant, answer_id)
        if answer.content is None:
            raise NotFound(f"the text of answer {answer_id} is gone", param="answer_id")
        return await self._with_passages(shown_of(answer))

    async def _with_passages(self, found: ReviewedAnswer) -> ReviewedAnswer:
        tenant, log = found.answer.tenant, self._stores.events
        retrievals = await log.find(tenant, kind=RetrievalFacts.EVENT, subject=found.answer.id)
        facts = [RetrievalFacts.of(each.facts) for each in retrievals]
        texts = await self._passages.read(tenant, facts, MOST_PASSAGES) if facts else []
        return ReviewedAnswer(found.answer, found.messages, found.text, found.citations, texts or [])

    async def answers(self, principal: Principal, names: Sequence[str]) -> list[ReviewedAnswer]:
        """Those of these answers whose text is there and that the principal may see, without passages."""

        def work(connection: sa.Connection) -> set[str]:
            mine = sa.and_(events.c.tenant == principal.tenant, events.c.id.in_(sorted(names)))
            text = sa.and_(contents.c.tenant == events.c.tenant, contents.c.sha256 == events.c.content_id)
            query = sa.select(events.c.id).join(contents, text).where(mine, events.c.kind == "answer")
            return set(connection.execute(query.where(visible_events(connection, principal.groups))).scalars())

        seen = await self._stores.database.read(work)
        return [
            shown_of(await self._stores.events.get(principal.tenant, name))
            for name in dict.fromkeys(names)
            if name in seen
        ]


def shown_of(answer: EventRecord) -> ReviewedAnswer:
    """The parts of an answer's record."""
    try:
        found: Any = json.loads(answer.content or "{}")
    except ValueError:
        found = {}
    found = found if isinstance(found, dict) else {}
    said = [each for each in found.get("messages") or () if isinstance(each, dict)]
    messages = [
        {"role": str(each.get("role")), "content": plain(each.get("content"))}
        for each in said
        if each.get("role") in ("user", "assistant", "tool")
    ]
    if not messages and isinstance(found.get("prompt"), str):
        messages = [{"role": "user", "content": found["prompt"]}]
    first = next((each for each in found.get("choices") or () if isinstance(each, dict)), {})
    citations = [each for each in found.get("citations") or () if isinstance(each, dict)]
    return ReviewedAnswer(answer, messages[-MOST_MESSAGES:], str(first.get("text") or ""), citations, ())


def plain(content: Any) -> str:
    """The text of a message's content."""
    if isinstance(content, list):
        content = " ".join(str(each["text"]) for each in content if isinstance(each, dict) and "text" in each)
    return str(content or "")
