"""Which models write: asked within their call rings and behind the output guard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.core.errors import MainspringError, Unsupported
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Grammar, Message, Responder, Sampling
from mainspring.feature import Rooms
from mainspring.features.content.settings import ContentSettings
from mainspring.features.content.text.article import Brief
from mainspring.features.content.write.budgets import StepBudget

_ROOM = 64
# Tokens that a prompt of so many characters has at most, about.
_CHARACTERS = 3


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote (None: nothing), what it used, and the limit or the fault that kept it from it."""

    text: str | None
    tokens: int = 0
    cost_nanousd: int = 0
    limit: str = ""
    fault: str = ""


class Writers:
    """The models that write drafts, plans and search engines' fields."""

    def __init__(self, rooms: Rooms, settings: ContentSettings) -> None:
        self._rooms = rooms
        self._settings = settings

    def mode(self, brief: Brief) -> Literal["extractive", "written"]:
        """How a draft is made. Raises ``Unsupported`` if it should be written and no model can."""
        wanted = brief.mode if brief.mode != "auto" else self._settings.mode
        if wanted == "written" and not self.draft:
            raise Unsupported(
                "no model writes drafts here",
                remedy="Set content.draft_model, or leave mode out for an article of cited sentences",
                param="mode",
            )
        if wanted == "auto":
            return "written" if self.draft else "extractive"
        return wanted

    @property
    def draft(self) -> str:
        """The model of drafts; empty: none is good enough."""
        larger = self._rooms.settings.models.larger
        named = self._settings.draft_model or (larger if larger in self._rooms.path.chat else "")
        return named if not named or self._find(named) is not None else ""

    @property
    def small(self) -> str:
        """The model of plans and search engines' fields; empty: rules make them."""
        named = self._settings.small_model
        return named if named and self._find(named) is not None else ""

    async def write(
        self, model: str, instruction: str, text: str, most: int, context: Context, budget: StepBudget, **fields: Any
    ) -> Written:
        """What ``model`` says to ``text`` in at most ``most`` tokens, within what is left of the step's limits."""
        responder = self._find(model)
        if responder is None:
            return Written(None, fault=f"{model} is not served")
        if limit := budget.reached():
            return Written(None, limit=limit)
        room = budget.tokens_left - (len(instruction) + len(text)) // _CHARACTERS
        if room < min(most, _ROOM):
            return Written(None, limit="tokens")
        sampling = Sampling(max_tokens=min(most, room), temperature=0.0, **fields)
        request = ChatRequest(
            model,
            (Message("system", instruction), Message("user", self._rooms.path.redact(text))),
            sampling=sampling,
            store=False,
        )
        spent = None
        try:
            async with budget.call(context) as (inner, spent):
                answer = await collect(await responder.respond(request, inner.nested()))
        except TimeoutError:
            return Written(None, limit="time") if spent is None else _used(None, spent.usage, limit="time")
        except MainspringError as error:
            return Written(None, fault=error.code) if spent is None else _used(None, spent.usage, fault=error.code)
        return _used(answer.text.strip(), spent.usage)

    def _find(self, model: str) -> Responder | None:
        return self._rooms.path.shown.get(model)


def schema(value: Mapping[str, Any]) -> Grammar:
    """The grammar of a JSON schema."""
    return Grammar("json_schema", json.dumps(value))


def _used(text: str | None, usage: Any, *, limit: str = "", fault: str = "") -> Written:
    return Written(text, usage.total_tokens, usage.cost_nanousd, limit, fault)
