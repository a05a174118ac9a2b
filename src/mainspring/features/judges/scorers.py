"""Judges as scorers of experiments and gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import InvalidRequest, UnknownModel
from mainspring.core.types import Context
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Score, Scorer
from mainspring.feature import Rooms
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.judging.making import ASKED_AS, ReadyJudge
from mainspring.features.judges.named import JudgeResponder
from mainspring.features.judges.service import Judges


class JudgeScorer:
    """The judge ``judge`` as a scorer of single answers. Unless it may be ``unmeasured``, it scores nothing before it
    has published figures."""

    def __init__(self, rooms: Rooms, judge: str, *, unmeasured: bool = False) -> None:
        self.judge = judge
        self._rooms = rooms
        self._unmeasured = unmeasured
        self._made: dict[str, tuple[Judges, ReadyJudge]] = {}
        self.name = f"judge:{judge}"

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:
        """None where the judge has nothing to say. Raises ``Conflict`` for a judge that may gate nothing."""
        tenant = context.principal.tenant
        if tenant not in self._made:
            judges = await self._service(context)
            made = await judges.made(self.judge, context)
            if not self._unmeasured:
                await judges.measured(made, context)
            self._made[tenant] = judges, made
        judges, made = self._made[tenant]
        passages = answered.passages or example.passages
        item = Item((answered.text,), example.question, tuple(passages), tuple(example.references), answered.model)
        found = (await judges.judge(made, item, context)).judgement
        return None if found is None else Score(found.value, found.reason or made.label, found.details)

    async def _service(self, context: Context) -> Judges:
        """The open one, which knows which version of the judge was promoted."""
        try:
            served = await self._rooms.path.registry.plain(f"{ASKED_AS}{self.judge}", context.principal, inner=True)
        except UnknownModel:
            return Judges(self._rooms)
        return served.responder.judges if isinstance(served.responder, JudgeResponder) else Judges(self._rooms)


def _judge(rooms: Rooms, options: Mapping[str, Any]) -> Scorer:
    name, unmeasured = options.get("judge"), options.get("unmeasured", False)
    # A command line has texts.
    unmeasured = (
        {"true": True, "false": False}.get(unmeasured, unmeasured) if isinstance(unmeasured, str) else unmeasured
    )
    unknown = sorted(set(options) - {"judge", "unmeasured"})
    if not isinstance(name, str) or not name or unknown or not isinstance(unmeasured, bool):
        raise InvalidRequest(
            f"the scorer judge has no option {unknown[0]}" if unknown else "the scorer judge needs the name of a judge",
            remedy="Give it {judge: NAME}, and perhaps {unmeasured: true}; `mainspring judges list` shows the names",
            param="options",
        )
    return JudgeScorer(rooms, name, unmeasured=unmeasured)


SCORERS = {"judge": _judge}
