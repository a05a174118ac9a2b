"""A judge's mean is raw; beside it stands what people would say, by their labels or by the judge's map."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mainspring.core.types import Context, Message
from mainspring.evaluation.examples import Example
from mainspring.evaluation.judges import LabelMap
from mainspring.feature import Services
from mainspring.features.experiments.shapes import markdown
from mainspring.features.experiments.spec import Candidate, Spec, WantedScorer
from mainspring.features.experiments.work.calibrated import Judged, corrected
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.figures import calibration
from mainspring.features.judges.figures.changed import Planned
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.requests import JudgeRequests, LabelSource
from mainspring.features.judges.service import Judges
from mainspring.features.judges.store.measurements import KIND
from mainspring.features.judges.work.measuring import Measuring
from mainspring.stores.sql import ids
from mainspring.stores.sql.worker import Lease
from tests.features.experiments.world import Lab, lab, sums

POLITE = Definition.model_validate({"kind": "rules", "rules": [{"contains": "It is"}]})
SCORERS = (WantedScorer("judge", {"judge": "polite"}), WantedScorer("f1"))
TRUE = 0.3


def drawn(seed: int, n: int) -> tuple[Any, Any]:
    """Labels with the mean ``TRUE``, and the scores of a judge that is .35 too kind."""
    random = np.random.default_rng(seed)
    labels = (random.random(n) < TRUE).astype(float)
    return labels, np.clip(0.35 + 0.5 * labels + random.normal(0, 0.1, n), 0, 1)


def nobody(n: int) -> list[str]:
    return [""] * n


@pytest.mark.parametrize("by", ["prediction-powered", "map"])
def test_a_planted_bias_is_undone_and_the_interval_holds(by: str) -> None:
    covered, raw = 0, []
    for seed in range(100):
        labels, scores = drawn(seed, 300)
        judged = Judged("kind")
        known = labels.copy()
        if by == "map":
            theirs, told = drawn(seed + 1_000, 80)
            made = calibration.fitted(told.tolist(), theirs.tolist())
            judged = Judged("kind", LabelMap(made, made.method, made.error, 80))
            known[:] = np.nan
        else:
            known[40:] = np.nan
        found = corrected(judged, scores, known, np.zeros(300, bool), nobody(300))
        assert found is not None
        covered += found["low"] <= TRUE <= found["high"]
        raw.append(scores.mean())
    assert min(raw) > TRUE + 0.1
    assert covered >= 88


def test_failed_answers_stay_at_0_and_too_few_labels_correct_nothing() -> None:
    scores, failed = np.array([1.0] * 30 + [0.0] * 10), np.array([False] * 30 + [True] * 10)
    kind = Judged("kind", LabelMap(lambda each: [0.5] * len(each), "isotonic", 0.01, 50))
    labels = np.full(40, np.nan)
    found = corrected(kind, scores, labels, failed, nobody(40))
    assert found is not None
    assert found["mean"] == pytest.approx(0.75 * 0.5)
    labels[:9] = 1.0
    assert corrected(Judged("kind"), scores, labels, failed, nobody(40)) is None
    labels[9] = 0.0
    powered = corrected(Judged("kind"), scores, labels, failed, nobody(40))
    assert powered is not None
    assert (powered["by"], powered["mean"]) == ("prediction-powered", pytest.approx(0.75 * 0.9))


def test_answers_of_one_group_widen_the_interval() -> None:
    _, scores = drawn(3, 300)
    kind = Judged("kind", LabelMap(lambda each: each, "platt", 0.01, 10_000))
    none = np.full(300, np.nan)
    alone = corrected(kind, scores, none, np.zeros(300, bool), nobody(300))
    order = np.argsort(scores)
    together = corrected(kind, scores[order], none, np.zeros(300, bool), [str(n // 30) for n in range(300)])
    assert alone is not None
    assert together is not None
    assert together["high"] - together["low"] > 2 * (alone["high"] - alone["low"])


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        opened.rooms.path.services = SimpleNamespace(purse=None)  # type: ignore[assignment,misc]
        opened.rooms.path.chat = {}  # type: ignore[misc]
        yield opened


async def judging(home: Lab, *, measured: bool) -> None:
    """A judge that approves of "It is"; people approve of every other such answer."""
    judges, services = Judges(home.rooms), Services()
    await judges.definitions.put(home.who.tenant, "polite", POLITE)
    for each in (home.data, home.experiments, judges):
        services.add(each)
    home.experiments.ready(services)
    if measured:
        info, _ = await home.rooms.stores.keys.create("j", tenant=home.who.tenant, scopes=frozenset({"judges"}))
        said = ["It is 2.", "Nobody knows.", "It is 3.", "Nobody knows."]
        planned = [Planned(Item((said[place % 4],), "Well?"), float(place % 4 == 0)) for place in range(80)]
        requests = JudgeRequests(judges, home.rooms.stores, Services())
        await requests.measure("polite", planned, LabelSource(), Context(info.principal()))
        while (job := await home.rooms.stores.jobs.lease(KIND, ids.new("lease_"), 30)) is not None:
            await Measuring(judges, home.rooms.stores)(Lease(job))


async def reported(home: Lab, wanted: Spec) -> tuple[Any, str]:
    made = await home.experiments.submit(home.who, "sums", None, wanted)
    await home.run()
    row = await home.experiments.results.get(home.who, made.id)
    told = await home.experiments.report(home.who, row)
    return told["responders"], markdown("sums", told)


async def test_a_report_shows_the_raw_mean_and_beside_it_the_calibrated_one(home: Lab) -> None:
    await judging(home, measured=True)
    await home.data.add_examples(home.who, "sums", sums(40))
    (good, bad), text = await reported(home, Spec((Candidate("", "good"), Candidate("", "bad")), SCORERS))
    score = good["scores"]["judge"]
    assert (score["mean"], score["raw"], score["judge"]) == (1.0, True, "polite")
    assert score["calibrated"]["mean"] == pytest.approx(0.5, abs=0.05)
    assert score["calibrated"]["low"] < 0.5 < score["calibrated"]["high"] < 0.9
    assert score["calibrated"]["labels"] == 80
    assert bad["scores"]["judge"]["calibrated"]["mean"] == pytest.approx(0.0, abs=0.05)
    assert "raw" not in good["scores"]["f1"]
    assert "| | f1 | judge (raw) |" in text
    assert "| judge | good | 1.000" in text
    assert ", 80 labels |" in text


async def test_labels_of_the_same_answers_come_before_the_map(home: Lab) -> None:
    await judging(home, measured=True)
    made = [
        Example(
            f"r-{place}",
            (Message("user", f"Question {place}?"),),
            extra={"answer": "It is 2." if place % 2 else "No.", **({"label": 0.0} if place % 3 == 0 else {})},
        )
        for place in range(60)
    ]
    await home.data.add_examples(home.who, "sums", made)
    (recorded,), text = await reported(home, Spec((), SCORERS[:1], recorded=True))
    score = recorded["scores"]["judge"]
    assert score["mean"] == pytest.approx(0.5)
    assert (score["calibrated"]["by"], score["calibrated"]["labels"]) == ("prediction-powered", 20)
    assert score["calibrated"]["mean"] == pytest.approx(0.0, abs=0.01)
    assert "prediction-powered, 20 labels" in text


async def test_without_a_map_the_report_says_why(home: Lab) -> None:
    await judging(home, measured=False)
    await home.data.add_examples(home.who, "sums", sums(4))
    wanted = WantedScorer("judge", {"judge": "polite", "unmeasured": True})
    (good,), text = await reported(home, Spec((Candidate("", "good"),), (wanted,)))
    score = good["scores"]["judge"]
    assert (score["mean"], score["raw"], score["calibrated"]) == (1.0, True, None)
    assert "has published no figures" in score["why"]
    assert "| judge | good | 1.000" in text
