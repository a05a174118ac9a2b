"""Scorers over live answers: a tenant's own judge scores its own answers, and what cannot score is left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, SettingsError
from mainspring.core.facts.opinions import ScoreFacts
from mainspring.core.types import Context
from mainspring.engines import Engines
from mainspring.evaluation.scorers import Scorer
from mainspring.features.experiments.scorers import SCORERS as BUILT_IN
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.scorers import SCORERS as JUDGES
from mainspring.features.monitor.judging.scored import WithScorers
from mainspring.features.monitor.monitoring import _apart
from mainspring.stores import Stores
from tests.features.judges.world import World as JudgeWorld
from tests.features.monitor.judging.test_live_judging import Said, World, opened

SCORERS = {"thirty": "judge:judge=mine,unmeasured=true", "same": "f1"}


class Source:
    """Scorers over ``rooms``."""

    def __init__(self, rooms: Any) -> None:
        self._rooms = rooms

    def scorer(self, name: str, options: Mapping[str, Any] | None = None) -> Scorer:
        if name not in self.scorer_names():
            raise InvalidRequest(f"there is no scorer {name}", remedy="Use another")
        return {**BUILT_IN, **JUDGES}[name](self._rooms, options or {})

    def scorer_names(self) -> list[str]:
        return sorted({**BUILT_IN, **JUDGES})


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    async with opened(tmp_path) as found:
        yield found


def panel(
    stores: Stores, scorers: Mapping[str, str] = SCORERS, *, permits: bool = True
) -> tuple[WithScorers, JudgeWorld]:
    def allowed(_: Context) -> bool:
        return permits

    return WithScorers(Said(), scorers, stores.events, permits=allowed), JudgeWorld(stores)


async def scores(world: World, **answer: Any) -> Mapping[str, float]:
    given = await world.answer(**answer)
    await world.judging.drain()
    (found,) = await world.judged(given)
    facts = ScoreFacts.of(found.facts)
    assert facts.judge == world.bench.name
    return facts.scores or {}


async def test_a_tenants_own_judge_scores_its_live_answers(stores: Stores) -> None:
    bench, judges = panel(stores)
    bench.open(Source(judges.rooms))
    assert bench.name.startswith("said@1+")
    world = World(stores, bench)
    rule = {"kind": "rules", "rules": [{"contains": "30 days"}]}
    await judges.judges.definitions.put("acme", "mine", Definition.model_validate(rule))
    plain = {"faithfulness": 0.5, "answer_relevancy": 0.75}
    # Without a reference the f1 says nothing, and another tenant has no such judge.
    assert await scores(world) == {**plain, "thirty": 1.0}
    assert await scores(world, tenant="umbrella") == plain
    rule = {"kind": "rules", "rules": [{"lacks": "30 days"}]}
    await judges.judges.definitions.put("acme", "mine", Definition.model_validate(rule))
    assert (await scores(world))["thirty"] == 0.0


async def test_a_judge_without_figures_scores_no_live_answer_and_refusals_are_not_scored(stores: Stores) -> None:
    bench, judges = panel(stores, {"mine": "judge:judge=mine", "refusing": "regex:pattern=days"})
    bench.open(Source(judges.rooms))
    bench._inner.verdict.scores["context_relevance"] = 0.25  # type: ignore[attr-defined]
    world = World(stores, bench)
    rule = {"kind": "rules", "rules": [{"contains": "30 days"}]}
    await judges.judges.definitions.put("acme", "mine", Definition.model_validate(rule))
    assert set(await scores(world)) == {"faithfulness", "answer_relevancy", "context_relevance", "refusing"}
    assert set(await scores(world, answered=False)) == {"context_relevance"}


async def test_where_the_request_may_not_be_worked_on_nothing_scores(stores: Stores) -> None:
    bench, judges = panel(stores, {"refusing": "regex:pattern=days"}, permits=False)
    bench.open(Source(judges.rooms))
    assert "refusing" not in await scores(World(stores, bench))


async def test_wrong_scorers_are_refused_at_the_start(stores: Stores) -> None:
    bench, judges = panel(stores, {"mine": "jugde:judge=mine"})
    with pytest.raises(SettingsError, match=r"monitor\.judging\.scorers\.mine: there is no scorer jugde"):
        bench.open(Source(judges.rooms))
    with pytest.raises(SettingsError, match="no feature makes scorers"):
        bench.open(None)
    with pytest.raises(SettingsError, match="faithfulness is a metric already"):
        _apart(Engines({}, None), {"faithfulness": "f1"})  # type: ignore[arg-type]
