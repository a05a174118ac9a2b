"""Judges as scorers of experiments and gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Score, Scorer
from mainspring.feature import Rooms
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.judging.making import ReadyJudge
from mainspring.features.judges.service import Judges


class JudgeScorer:
    """The judge ``judge`` as a scorer of single answers. Unless it may be ``unmeasured``, it scores nothing before it
    has published figures."""

    def __init__(self, judges: Judges, judge: str, *, unmeasured: bool = False) -> None:
        self._judges = judges
        self._judge = judge
        self._unmeasured = unmeasured
        self._made: dict[str, ReadyJudge] = {}
        self.name = f"judge:{judge}"

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:
        """None where the judge has nothing to say. Raises ``Conflict`` for a judge that may gate nothing."""
        tenant = context.principal.tenant
        if tenant not in self._made:
            made = await self._judges.made(self._judge, context)
            if not self._unmeasured:
                await self._judges.measured(made, context)
            self._made[tenant] = made
        passages = answered.passages or example.passages
        item = Item((answered.text,), example.question, tuple(passages), tuple(example.references), answered.model)
        found = (await self._judges.judge(self._made[tenant], item, context)).judgement
        return None if found is None else Score(found.value, found.reason or self._made[tenant].label, found.details)


def _judge(rooms: Rooms, options: Mapping[str, Any]) -> Scorer:
    name, unmeasured = options.get("judge"), options.get("unmeasured", False)
    unknown = sorted(set(options) - {"judge", "unmeasured"})
    if not isinstance(name, str) or not name or unknown or not isinstance(unmeasured, bool):
        raise InvalidRequest(
            f"the scorer judge has no option {unknown[0]}" if unknown else "the scorer judge needs the name of a judge",
            remedy="Give it {judge: NAME}, and perhaps {unmeasured: true}; `mainspring judges list` shows the names",
            param="options",
        )
    return JudgeScorer(Judges(rooms), name, unmeasured=unmeasured)


SCORERS = {"judge": _judge}
