"""Judges as names that can be asked, ``judge:NAME``: so their versions are tried and promoted like anything else.

What is asked is an item as JSON (``question``, ``answer`` or ``answers``, ``passages``, ``references``, ``writer``),
and the answer is the judgement as JSON. Judging is metered by itself (``Judges.judge``).
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from cachetools import LRUCache
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.path import replay
from mainspring.core.types import ChatRequest, Context, Finish, Head, Principal, Request, Response, Text, Usage
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.judging.making import ASKED_AS
from mainspring.features.judges.service import GivenJudgement, Judges
from mainspring.serving.ring.registry import MAX_DEPTH, Served
from mainspring.serving.ring.whole_answers import refuse_drawing, with_unread

_KEPT = 256
Said = Annotated[str, Field(max_length=200_000)]


class AskedItem(BaseModel):
    """An item as it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: Said = ""
    answer: Said = ""
    answers: tuple[Said, ...] = Field((), max_length=20)
    passages: tuple[Said, ...] = Field((), max_length=100)
    references: tuple[Said, ...] = Field((), max_length=100)
    writer: str = Field("", max_length=256)

    def item(self) -> Item:
        """Raises ``InvalidRequest`` without an answer, or with both fields."""
        if bool(self.answer) == bool(self.answers):
            raise InvalidRequest("an item needs answer or answers", param="messages")
        answers = self.answers or (self.answer,)
        return Item(answers, self.question, self.passages, self.references, self.writer)


class JudgeResponder:
    """Judges what it is asked by the judge ``name``: its version ``number``; None: the one in force."""

    def __init__(self, judges: Judges, name: str, number: int | None = None) -> None:
        self._judges = judges
        self._name = name
        self._number = number

    @property
    def judges(self) -> Judges:
        """The service that it asks."""
        return self._judges

    def judge_version(self, number: int) -> JudgeResponder:
        """See ``evaluation.judges.VersionedJudge``."""
        return JudgeResponder(self._judges, self._name, number)

    async def has_judge_version(self, tenant: str, judge: str, number: int) -> bool:
        """See ``evaluation.judges.VersionedJudge``."""
        if judge != self._name:
            return False
        try:
            await self._judges.definitions.version(tenant, judge, number)
        except NotFound:
            return False
        return True

    def fingerprint(self, request: Request, context: Context) -> None:
        """Models judge anew."""
        del request, context

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidRequest`` for what is no item, ``NotFound``, and the judge's errors."""
        assert isinstance(request, ChatRequest)
        if context.depth == 0:
            # An application whose model it is asks for a form, and sees for itself what it gets.
            refuse_drawing(request, "a judge")
        item = _item(request)
        if context.depth > MAX_DEPTH:
            # Its model may be an application whose model is this judge.
            problem = f"judges and applications ask each other more than {MAX_DEPTH} levels deep"
            raise InvalidRequest(problem, remedy=f"Give the judge {self._name} another model", param="model")
        context = context.nested()
        definition = None
        if self._number is not None:
            stored = await self._judges.definitions.version(context.principal.tenant, self._name, self._number)
            definition = stored.definition
        made = await self._judges.made(self._name, context, definition)
        given = await self._judges.judge(made, item, context)
        text = json.dumps(_told(given), ensure_ascii=False)
        # It has been paid for where it was judged.
        return with_unread(request, Response(Head(request.model), replay([Text(text), Usage(), Finish("stop")])))


class JudgeNames:
    """A source of the registry: the judges of each tenant, and those of the package."""

    def __init__(self, judges: Judges) -> None:
        self._judges = judges
        self._made: LRUCache[str, JudgeResponder] = LRUCache(_KEPT)

    async def find(self, name: str, principal: Principal) -> Served | None:
        if not name.startswith(ASKED_AS):
            return None
        judge = name.removeprefix(ASKED_AS)
        try:
            await self._judges.definitions.get(principal.tenant, judge)
        except NotFound:
            return None
        if judge not in self._made:
            self._made[judge] = JudgeResponder(self._judges, judge)
        return Served(name, "application", self._made[judge])

    async def visible(self, principal: Principal) -> list[Served]:  # noqa: ARG002
        """They are no models: ``GET /v1/judges`` lists them."""
        return []


def _item(request: ChatRequest) -> Item:
    said = next((each.content for each in reversed(request.messages) if each.role == "user"), "")
    try:
        return AskedItem.model_validate(json.loads(said)).item()
    except (ValueError, ValidationError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is not JSON"
        raise InvalidRequest(
            f"a judge is asked an item as JSON: {told}",
            remedy='Send {"question": ..., "answer": ..., "passages": [...]}',
            param="messages",
        ) from None


def _told(given: GivenJudgement) -> dict[str, Any]:
    found = given.judgement
    if found is None:
        return {"judge": given.judge, "score": None}
    return {
        "judge": given.judge,
        "score": found.value,
        "values": list(found.values),
        "details": dict(found.details),
        "reason": found.reason,
    }
