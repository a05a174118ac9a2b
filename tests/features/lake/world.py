"""A home with recorded answers, as the request ring writes them, and the lake over it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.facts.calls import CallFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.features.lake.service import Lake
from mainspring.stores import Stores
from mainspring.stores.sql import ids


class World:
    """Writes answers, and what is said of them."""

    def __init__(self, stores: Stores, home: Path, **lake: Any) -> None:
        self.stores = stores
        self.settings = Settings.model_validate({"home": home, "lake": lake})
        self.lake = Lake(self.settings, stores)

    async def say(
        self,
        text: str,
        answer: str = "It is done.",
        *,
        tenant: str = "acme",
        user: str = "",
        consent: bool = True,
        groups: Sequence[str] = (),
        ago: float = 60.0,
        more: Sequence[Facts] = (),
        system: str = "",
        **facts: Any,
    ) -> str:
        """One answer with its call; its id."""
        answer_id, trace, at = ids.new("ans_"), ids.new("trace_"), time.time() - ago
        said = [{"role": "system", "content": system}] if system else []
        content = {"messages": [*said, {"role": "user", "content": text}], "choices": [{"text": answer}]}
        given: dict[str, Any] = {"status": "completed", "operation": "chat", "requested": "support", "model": "small"}
        given |= {"key_id": "key_1", "finish": ["stop"], "groups": sorted(groups), **facts}
        call = CallFacts.from_json({"model": "small", "provider": "openvino", "cost_nanousd": 5, "charged": ""})
        records = [
            EventRecord(ids.new("event-"), at, tenant, trace, answer_id, each, consent=consent)
            for each in (call, *more)
        ]
        own = AnswerFacts.from_json(given)
        records.append(
            EventRecord(answer_id, at, tenant, trace, answer_id, own, json.dumps(content), consent=consent, person=user)
        )
        await self.stores.events.append(*records)
        return answer_id

    async def think(
        self, answer_id: str, rating: str | None = "up", edit: str | None = None, tenant: str = "acme"
    ) -> None:
        """Feedback on an answer."""
        facts = FeedbackFacts(key_id="key_1", rating=rating, comment=None, edited=edit is not None)
        await self.stores.events.append(
            EventRecord(ids.new("event-"), time.time(), tenant, "", answer_id, facts, content=edit)
        )

    async def interactions(self, tenant: str = "acme") -> list[Any]:
        """All rows of the clean zone."""
        return [each async for found in self.lake.clean.rows(tenant) for each in found]

    def files(self, zone: str = "") -> list[Path]:
        """The files on the disk."""
        return sorted((self.settings.home / "lake" / zone).rglob("*.parquet"))
