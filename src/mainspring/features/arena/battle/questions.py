"""Recorded questions for battles: of a data set, or of answers that the voter's groups may see."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from mainspring.core.errors import Conflict, Unsupported
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.types import EventRecord, Message, Principal
from mainspring.evaluation.examples import ExampleDraw
from mainspring.features.arena.definitions import Arena
from mainspring.guards.detect import pii
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.pages import Page

_LATEST = 100


@dataclass(frozen=True, slots=True)
class Question:
    """What both models are asked. ``person`` is whose data it is; empty: the voter's own, or nobody's."""

    messages: tuple[Message, ...]
    category: str = ""
    person: str = ""
    shown: str = ""


class Recorded:
    """Draws recorded questions."""

    def __init__(self, events: EventLog, datasets: ExampleDraw | None) -> None:
        self._events = events
        self._datasets = datasets

    async def draw(self, principal: Principal, arena: Arena, rng: random.Random) -> Question:
        """A question of the arena's data set, else of the latest answers. Raises ``Conflict`` if there is none, and
        ``Unsupported``: the arena has none, or no feature keeps data sets."""
        if arena.dataset:
            return await self._of_dataset(principal, arena, rng)
        if arena.traces:
            return await self._of_traces(principal, rng)
        raise Unsupported(
            "this arena has no recorded questions", remedy="Send a question, or name its dataset", param="question"
        )

    async def _of_dataset(self, principal: Principal, arena: Arena, rng: random.Random) -> Question:
        if self._datasets is None:
            raise Unsupported("no feature keeps data sets here", param="dataset")
        example = await self._datasets.drawn(principal, arena.dataset, arena.dataset_version, rng.random())
        if example is None:
            raise Conflict(f"the data set {arena.dataset} has no examples", param="dataset")
        category = example.tags.get("category") or example.tags.get("topic") or ""
        return Question(example.messages, category, example.subject, example.question)

    async def _of_traces(self, principal: Principal, rng: random.Random) -> Question:
        found = await self._events.page(
            principal.tenant, Page(_LATEST), groups=principal.groups, kind=AnswerFacts.EVENT
        )
        asked = [
            Question((Message("user", text),), person=each.person, shown=text)
            for each in found.rows
            if each.consent and (text := _asked(each))
        ]
        if not asked:
            raise Conflict(
                f"none of the latest {_LATEST} answers has a question that may be used for learning",
                remedy="Send a question",
                param="question",
            )
        return rng.choice(asked)


def _asked(answer: EventRecord) -> str:
    """The last question of a user, without personal data; empty if its text is not kept."""
    if answer.content is None:
        return ""
    messages = json.loads(answer.content).get("messages") or ()
    said = next((each.get("content") for each in reversed(messages) if each.get("role") == "user"), "")
    return pii.redact(said)[0] if isinstance(said, str) else ""
