"""What labels say: agreement, reviewers, thresholds, and estimates that cover."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.review.definition import Definition, Queue
from mainspring.features.review.measures import calibration, reviewer_agreement
from mainspring.features.review.measures.calibration import Labelled
from mainspring.features.review.store.verdicts import GivenLabel
from mainspring.statistics.agreement import alpha
from mainspring.stores import Stores
from tests.features.review.world import ANN, BEN, CID, NO, YES, World

SHARE = 0.1


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


def given(item: int, by: str, score: float, *, approved: bool | None = None, adjudicated: bool = False) -> GivenLabel:
    yes = score > 0.5 if approved is None else approved
    name = f"item_{item}"
    return GivenLabel(
        f"l{item}{by}", name, by, {"correct": score}, yes, (), False, adjudicated, 3.0, "e", 1, float(item)
    )


def queue_of(seen: dict[str, int]) -> Queue:
    return Queue("acme", "queue_1", "all", 1, Definition(), "", seen, {}, {}, "key_1", 0.0, 0.0)


def test_agreement_is_of_blind_labels_by_criterion_and_pair() -> None:
    scores = [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (1.0, 0.5)] * 10
    labels = [given(item, by, score) for item, both in enumerate(scores) for by, score in zip("ab", both, strict=True)]
    # What decides between two, and what nobody else has labelled, says nothing.
    found = reviewer_agreement.agreement(
        Definition(), [*labels, given(3, "c", 0.0, adjudicated=True), given(99, "a", 0.0)]
    )
    by_name = {each["name"]: each for each in found["criteria"]}
    want = {by: {f"item_{item}": both[place] for item, both in enumerate(scores)} for place, by in enumerate("ab")}
    assert by_name["correct"]["alpha"]["value"] == pytest.approx(alpha(want, "ordinal"), abs=1e-4)
    assert (
        by_name["correct"]["alpha"]["low"] < by_name["correct"]["alpha"]["value"] < by_name["correct"]["alpha"]["high"]
    )
    assert (by_name["approved"]["level"], by_name["grounded"]["alpha"]) == ("nominal", None)
    assert [each["n"] for each in by_name["correct"]["course"]] == [10] * 4
    (pair,) = found["pairs"]
    assert (pair["reviewers"], pair["items"], found["double_items"]) == (["a", "b"], 40, 40)
    assert (pair["criteria"]["correct"]["agreement"], pair["criteria"]["correct"]["n"]) == (0.75, 40)


async def test_reviewers_are_compared_with_each_other_and_with_who_decided(opened: Stores) -> None:
    world = World(opened)
    await world.queue(definition={"rule": {"share": 1.0}, "labelling": {"double": 1.0}})
    for _ in range(2):
        await world.answer()
    await world.review.look()
    for who, bodies in ((ANN, (YES, YES)), (BEN, (YES, NO)), (CID, (NO,))):
        for body in bodies:
            await world.label(who, {**body, "seconds": 4.0})
    found = {each["by"]: each for each in await world.review.measures.reviewers("acme", "all")}
    ann, ben, cid = (found[f"key_{name}"] for name in ("ann", "ben", "cid"))
    assert (ann["labels"], ann["compared"], ann["agreed"], ann["decided"], ann["overruled"]) == (2, 2, 1, 1, 1)
    assert (ben["overruled"], ben["median_seconds"], cid["adjudicated"]) == (0, 4.0, 1)


async def test_the_threshold_and_the_estimate_read_verdicts_and_labels(opened: Stores) -> None:
    world = World(opened)
    await world.queue()
    now = time.time()
    for place in range(40):
        answer_id = await world.answer(at=now)
        await world.judged(answer_id, faithfulness=place / 40)
    await world.review.look()
    while (task := await world.review.take(ANN, "all")) is not None:
        event = await opened.events.get("acme", f"verdict_{task['answer_id']}")
        good = (event.facts.plain()["scores"] or {})["faithfulness"] >= 0.5
        await world.review.label(ANN, "all", task["item_id"], YES if good else NO)
    found = await world.review.measures.threshold("acme", "all", "faithfulness", 1.0)
    assert (found["value"], found["approval"], found["coverage"], found["labels"]) == (0.5, 1.0, 0.5, 40)
    assert sum(each["approval"]["n"] for each in found["curve"]) == 40
    with pytest.raises(InvalidRequest, match="There are: faithfulness"):
        await world.review.measures.threshold("acme", "all", "fluency", 0.9)
    whole = await world.review.measures.estimate("acme", "all", "")
    assert (whole["score"], whole["labels_alone"]["value"], whole["answers"]) == ("faithfulness", 0.5, 40)


async def test_an_estimate_without_labels_says_what_it_lacks(opened: Stores) -> None:
    world = World(opened)
    await world.queue()
    with pytest.raises(InvalidRequest, match="two labels"):
        await world.review.measures.estimate("acme", "all", "")


def test_estimates_cover_the_approval_of_all_answers_and_the_plain_mean_does_not() -> None:
    draw = np.random.default_rng(8)
    runs, size = 300, 3_000
    covered = plain = 0
    widths: list[float] = []
    for _ in range(runs):
        # A tenth is rated down and all of that is labelled; of the rest a tenth is, and a judge has scored half.
        down = draw.random(size) < 0.1
        approved = draw.random(size) < np.where(down, 0.15, 0.85)
        score = np.clip(np.where(approved, 0.7, 0.4) + draw.normal(0, 0.12, size), 0, 1)
        taken, judged = down | (draw.random(size) < SHARE), draw.random(size) < 0.5
        labelled = [
            Labelled(str(each), bool(approved[each]), "down" if down[each] else "rest", 1.0 if down[each] else SHARE)
            for each in np.flatnonzero(taken)
        ]
        scores = {str(each): {"f": float(score[each])} for each in np.flatnonzero(taken | judged)}
        strata = {each.answer_id: each.stratum for each in labelled}
        queue = queue_of({"down": int(down.sum()), "rest": int((~down).sum())})
        found = calibration.estimate(queue, labelled, scores, "f", strata)
        truth = float(np.where(down, 0.15, 0.85).mean())
        covered += found["calibrated"]["low"] <= truth <= found["calibrated"]["high"]
        alone = found["labels_alone"]["high"] - found["labels_alone"]["low"]
        widths.append((found["calibrated"]["high"] - found["calibrated"]["low"]) / alone)
        plain += abs(found["plain_mean"] - truth) < 0.1
    assert covered >= 0.93 * runs
    assert plain == 0
    assert np.mean(widths) < 0.85


def test_a_stratum_without_labels_is_shown_as_not_covered() -> None:
    labelled = [
        Labelled("a", True, "down", 1.0),
        Labelled("b", False, "down", 1.0),
        Labelled("c", True, "manual", None),
    ]
    found = calibration.estimate(queue_of({"down": 2, "rest": 6}), labelled, {}, "", {})
    assert (found["covered"], found["labels_alone"]["value"]) == (0.25, 0.5)
    assert [each["labels"] for each in found["strata"]] == [2, 0]


async def test_an_answer_shows_its_scores_in_three_tiers(opened: Stores) -> None:
    world = World(opened)
    await world.queue()
    found = GuardFacts(stage="output", role="assistant", guard="pii_output", action="redact", kind="iban", count=1)
    answer_id = await world.answer(more=[found])
    await world.judged(answer_id, faithfulness=0.75)
    await world.review.look()
    await world.label(ANN, YES)
    shown = await world.review.tiers.of(Principal("acme", "key_1"), answer_id)
    assert shown["realtime"] == {"format": 1.0, "personal_data": 0.0}
    assert [each["scores"] for each in shown["judged"]] == [{"faithfulness": 0.75}]
    assert shown["people"]["all"]["approved"] is True
    with pytest.raises(NotFound):
        await world.review.tiers.of(Principal("other", "key_1"), answer_id)
