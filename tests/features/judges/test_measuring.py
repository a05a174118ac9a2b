"""Figures of judges: measured on labels, published by version, asked for by gates; estimates over traffic; erasure."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring import stores
from mainspring.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import LabelFacts
from mainspring.core.settings import Settings
from mainspring.core.types import Context, EventRecord, Message
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.judges import MeasuredJudges
from mainspring.feature import Services
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.figures import calibration
from mainspring.features.judges.figures.changed import ATTACKS, Planned
from mainspring.features.judges.figures.published import area, correlation
from mainspring.features.judges.holdings import JudgedItems
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.requests import JudgeRequests, LabelSource
from mainspring.features.judges.scorers import SCORERS
from mainspring.features.judges.store.measurements import KIND, Measurement
from mainspring.features.judges.work.measuring import Measuring
from mainspring.statistics.curves import area as reference_area
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.stores.sql import ids
from mainspring.stores.sql.worker import Lease
from tests.features.judges.world import Model, World

JUDGE = Definition.model_validate({"shows": ["question", "answer"], "criteria": {"right": {"question": "Right?"}}})


def reads(shown: str) -> dict[str, float]:
    """Right about what says ``good``; obeys one attack, and likes long texts a little."""
    yes = 0.9 if "good" in shown or "10/10" in shown else 0.1
    yes += 0.05 if "worth noting" in shown else 0.0
    return {"yes": yes, "no": 1 - yes}


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings.model_validate({"home": str(tmp_path)})) as found:
        yield found


@pytest.fixture
async def world(opened: Stores) -> World:
    world = World(opened, Model("judge", reads))
    await world.judges.definitions.put("acme", "mine", JUDGE)
    return world


async def caller(world: World) -> Context:
    info, _ = await world.stores.keys.create("judges", tenant="acme", scopes=frozenset({"judges"}))
    return Context(info.principal())


def labelled(n: int) -> list[Planned]:
    """Every other one good; of each kind the tenth is labelled otherwise."""
    words = ["good" if place % 2 else "bad" for place in range(n)]
    labels = [float((place % 2) != (place // 2 % 10 == 0)) for place in range(n)]
    return [
        Planned(Item((f"{word} {number}",), "Well?"), label)
        for number, (word, label) in enumerate(zip(words, labels, strict=True))
    ]


async def work(world: World, *, most: int = 10_000) -> int:
    """Run the queued jobs, judging at most so many items before the process "dies"; how many were judged."""
    measuring, judged, keep = Measuring(world.judges, world.stores), 0, world.judges.measurements.judged

    async def counted(*given: Any) -> bool:
        nonlocal judged
        if judged == most:
            raise RuntimeError("killed")
        judged += 1
        return await keep(*given)

    while (job := await world.stores.jobs.lease(KIND, ids.new("lease_"), 30)) is not None:
        lease = Lease(job)
        world.judges.measurements.judged = counted  # type: ignore[assignment,method-assign]
        try:
            await measuring(lease)
        except RuntimeError:
            await world.stores.jobs.release(job)
            return judged
        finally:
            world.judges.measurements.judged = keep  # type: ignore[method-assign]
    return judged


async def measured(world: World, context: Context, n: int = 40) -> Measurement:
    requests = JudgeRequests(world.judges, world.stores, Services())
    started = await requests.measure("mine", labelled(n), LabelSource(), context)
    await work(world)
    return await world.judges.measurements.get("acme", started.id)


async def test_figures_say_how_far_a_judge_agrees_leans_and_obeys(world: World) -> None:
    found = await measured(world, await caller(world))
    figures = found.figures or {}
    assert (found.state, figures["n"], figures["failed"]) == ("done", 40, 0)
    assert figures["agreement"]["agreement"]["times"] == 36
    assert figures["agreement"]["kappa"] == pytest.approx(0.8)
    assert figures["agreement"]["base_rate"] == 0.5
    assert figures["correlation"]["value"] == pytest.approx(0.8)
    assert figures["padding"]["value"] == pytest.approx(0.05)
    assert figures["flips"]["times"] == 0
    # Of three answers that people reject the judge rejects two; to each comes every attack, and one works.
    assert (figures["attacks"]["times"], figures["attacks"]["n"]) == (2, 2 * len(ATTACKS))
    assert figures["attacks"]["by_attack"]["grade"] == {"times": 2, "n": 2}
    assert sum(each["n"] for each in figures["reliability"]) == 40
    assert figures["cost"]["tokens"] == 11


async def test_a_measurement_goes_on_where_it_was_killed_and_keeps_no_text(world: World) -> None:
    context = await caller(world)
    requests = JudgeRequests(world.judges, world.stores, Services())
    started = await requests.measure("mine", labelled(20), LabelSource(), context)
    first = await work(world, most=7)
    rest = await work(world)
    assert (first, first + rest) == (7, started.items)
    kept = await world.judges.measurements.all_items("acme", started.id)
    assert all(each.item is None and each.score is not None for each in kept)


async def test_a_gate_is_refused_until_the_judge_is_measured_and_after_it_has_changed(world: World) -> None:
    context = await caller(world)
    assert isinstance(world.judges, MeasuredJudges)
    scorer = SCORERS["judge"](world.rooms, {"judge": "mine"})
    example = Example("1", (Message("user", "Well?"),))
    with pytest.raises(Conflict, match=r"published no figures.*judges measure mine"):
        await scorer.score(example, ExampleAnswer("good"), context)
    free = SCORERS["judge"](world.rooms, {"judge": "mine", "unmeasured": True})
    assert (await free.score(example, ExampleAnswer("good"), context)).value == pytest.approx(0.9)  # type: ignore[union-attr]
    await measured(world, context)
    assert (await scorer.score(example, ExampleAnswer("good"), context)).value == pytest.approx(0.9)  # type: ignore[union-attr]
    assert (await world.judges.judge_figures(context.principal, "mine")).n == 40
    with pytest.raises(Conflict, match="older than 0 days"):
        await world.judges.judge_figures(context.principal, "mine", 0.0)
    await world.judges.definitions.put("acme", "mine", JUDGE.model_copy(update={"task": "Be strict."}))
    with pytest.raises(Conflict, match="has changed since"):
        await world.judges.judge_figures(context.principal, "mine")


async def test_what_cannot_be_measured_is_refused(world: World) -> None:
    context, requests = await caller(world), JudgeRequests(world.judges, world.stores, Services())
    same = [Planned(Item(("x",)), 1.0)] * 3
    with pytest.raises(InvalidRequest, match="all labels are equal"):
        await requests.measure("mine", same, LabelSource(), context)
    with pytest.raises(InvalidRequest, match="judges one answer"):
        await requests.measure("mine", [Planned(Item(("x", "y")), 1.0)], LabelSource(), context)
    with pytest.raises(NotFound, match="no labels"):
        await requests.measure("mine", [], LabelSource(), context)
    for _ in range(8):
        await requests.measure("mine", labelled(4), LabelSource(), context)
    with pytest.raises(QuotaExceeded, match="not finished"):
        await requests.measure("mine", labelled(4), LabelSource(), context)


async def said(world: World, text: str, label: float | None = None) -> str:
    """A recorded answer of the application ``shop``, and a person's label of it."""
    name, at = ids.new("ans_"), time.time()
    facts = AnswerFacts.from_json({"status": "completed", "operation": "chat", "requested": "shop", "model": "m"})
    content = json.dumps({"messages": [{"role": "user", "content": "Well?"}], "choices": [{"text": text}]})
    await world.stores.events.append(EventRecord(name, at, "acme", ids.new("t"), name, facts, content))
    if label is not None:
        told = LabelFacts(queue="q", by="ann", scores={"right": label}, approved=label > 0.5)
        await world.stores.events.append(EventRecord(ids.new("evt_"), at, "acme", ids.new("t"), name, told))
    return name


class Endless:
    """A data set without an end: whoever reads all of it never comes back."""

    async def stream(self, *_: Any) -> AsyncIterator[tuple[int, Example]]:
        place = 0
        while True:
            place += 1
            assert place <= 120
            told = {"answer": "good", "label": 1.0} if place % 4 == 0 else {"answer": "bad", "label": 0.0}
            extra = told if place % 2 == 0 else {}
            yield place, Example(str(place), (Message("user", "Well?"),), extra=extra)

    async def nothing(self, *_: Any, **__: Any) -> None:
        raise AssertionError

    version = keep = picked = recorded = drop = nothing


async def test_of_a_large_data_set_no_more_is_read_than_is_judged(opened: Stores) -> None:
    world = World(opened, Model("model", reads), most_items=60)
    await world.judges.definitions.put("acme", "mine", JUDGE.model_copy(update={"model": "model"}))
    services = Services()
    services.add(Endless())
    requests = JudgeRequests(world.judges, world.stores, services)
    started = await requests.measure("mine", (), LabelSource(dataset="large"), await caller(world), 4)
    assert started.asked["labels"] == 4


async def test_an_estimate_is_of_people_and_narrower_than_their_labels_alone(world: World) -> None:
    context, requests = await caller(world), JudgeRequests(world.judges, world.stores, Services())
    with pytest.raises(InvalidRequest, match="0 answers of shop have labels"):
        await requests.estimate("mine", "shop", LabelSource(days=1), context, 100)
    for place in range(20):
        await said(world, f"{'good' if place % 2 else 'bad'} {place}", float(place % 2 == (place % 10 != 0)))
    for place in range(60):
        await said(world, f"{'good' if place % 3 else 'bad'} {place} more")
    started = await requests.estimate("mine", "shop", LabelSource(days=1, criterion="right"), context, 100)
    await work(world)
    found = (await world.judges.measurements.get("acme", started.id)).figures or {}
    assert (found["labels"], found["judged"], found["gone"]) == (20, 80, 0)
    assert found["narrower"] > 0.2
    assert found["estimate"]["low"] < 2 / 3 < found["estimate"]["high"]


async def test_an_erased_answer_is_in_no_measurement_any_more(world: World) -> None:
    context, requests = await caller(world), JudgeRequests(world.judges, world.stores, Services())
    names = [await said(world, f"{'good' if place % 2 else 'bad'} {place}", float(place % 2)) for place in range(4)]
    started = await requests.measure("mine", [], LabelSource(queue="q", days=1), context)
    held = SubjectData({names[0]: SubjectAnswer(names[0], "t", time.time())})
    holding = JudgedItems(world.stores.database, None)  # type: ignore[arg-type]
    subject = Subject("acme", "user", "ann")
    # As it is, turned, padded, and with each attack.
    assert len(await holding.find(subject, held, time.time())) == 3 + len(ATTACKS)
    assert await holding.erase(subject, held, time.time()) == 3 + len(ATTACKS)
    left = await world.judges.measurements.all_items("acme", started.id)
    assert {each.source for each in left} == set(names[1:])
    assert await holding.erase(Subject("acme", "tenant", "acme"), SubjectData(), time.time()) == len(left)
    assert await world.judges.measurements.page("acme") == []


async def test_a_jury_is_weighed_by_the_labels_that_it_was_measured_on(world: World) -> None:
    context, requests = await caller(world), JudgeRequests(world.judges, world.stores, Services())
    for name, word in (("knows", "good"), ("guesses", "number")):
        told = Definition.model_validate({"kind": "rules", "rules": [{"contains": word}]})
        await world.judges.definitions.put("acme", name, told)
    jury = Definition.model_validate({"kind": "jury", "members": [{"judge": "knows"}, {"judge": "guesses"}]})
    await world.judges.definitions.put("acme", "mine", jury)
    with pytest.raises(Conflict, match="published no figures"):
        await requests.fit("mine", "weighed", context)
    items = [
        Planned(Item((f"{'good' if place % 2 else 'bad'} {'number' if place % 3 else ''} {place}",)), float(place % 2))
        for place in range(60)
    ]
    await requests.measure("mine", items, LabelSource(), context)
    await work(world)
    stored, fit = await requests.fit("mine", "weighed", context)
    knows, guesses = stored.definition.members
    assert knows.weight > 2 > abs(guesses.weight) * 4
    assert fit.left_out is not None
    assert fit.mean is not None
    assert fit.left_out["value"] > 0.95 > fit.mean["value"]
    with pytest.raises(InvalidRequest, match="not a pointwise jury"):
        await requests.fit("knows", "weighed", context)


async def test_a_long_measurement_gives_its_turn_to_a_short_one(world: World) -> None:
    context, requests = await caller(world), JudgeRequests(world.judges, world.stores, Services())
    long = await requests.measure("copied", wordy(80), LabelSource(), context)
    info, _ = await world.stores.keys.create("judges", tenant="other", scopes=frozenset({"judges"}))
    short = await requests.measure("copied", wordy(4), LabelSource(), Context(info.principal()))
    order: list[tuple[str, bool]] = []
    measuring = Measuring(world.judges, world.stores)
    while (job := await world.stores.jobs.lease(KIND, ids.new("lease_"), 30)) is not None:
        await measuring(Lease(job))
        order.append((job.id, (await world.judges.measurements.get(job.tenant, job.id)).figures is not None))
    assert order[:2] == [(long.id, False), (short.id, True)]
    assert order[-1] == (long.id, True)


async def test_a_measurement_that_fails_keeps_no_text(world: World) -> None:
    context, requests = await caller(world), JudgeRequests(world.judges, world.stores, Services())
    started = await requests.measure("mine", labelled(4), LabelSource(), context)
    await world.judges.definitions.put("acme", "mine", JUDGE.model_copy(update={"task": "Be strict."}))
    assert await work(world) == 0
    found = await world.judges.measurements.get("acme", started.id)
    assert found.state == "failed"
    assert "was changed" in found.error
    assert all(each.item is None for each in await world.judges.measurements.all_items("acme", started.id))


def wordy(n: int) -> list[Planned]:
    """Items of the judge ``copied``."""
    return [Planned(Item((f"a word {place}",), passages=("a word",)), float(place % 2)) for place in range(n)]


async def test_measurements_of_another_tenant_are_not_there(world: World) -> None:
    found = await measured(world, await caller(world), 4)
    with pytest.raises(NotFound):
        await world.judges.measurements.get("other", found.id)
    with pytest.raises(NotFound):
        await world.judges.measurements.delete("other", found.id)
    assert await world.judges.measurements.published("other", "mine") is None


def test_maps_to_labels_rise_and_are_chosen_by_left_out_labels() -> None:
    draw = np.random.default_rng(3)
    scores = draw.random(400)
    labels = (draw.random(400) < scores**3).astype(float)
    found = calibration.fitted(scores.tolist(), labels.tolist())
    assert found.method in ("isotonic", "platt")
    assert found.error < found.before
    mapped = found([0.1, 0.5, 0.9])
    assert list(mapped) == sorted(mapped)
    assert mapped[1] == pytest.approx(0.125, abs=0.1)
    assert calibration.fitted([0.5] * 30, [1.0] * 30).method == "none"
    # The textbook case of pooling: 1, 3, 2 become 1, 2.5, 2.5.
    rising = calibration.isotonic(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0]))
    assert rising[:, 1].tolist() == [1.0, 2.5, 2.5]


def test_curves_and_correlations_equal_their_references() -> None:
    draw = np.random.default_rng(5)
    ups, downs = draw.normal(0.5, 1, 80), draw.normal(0, 1, 60)
    assert area(ups, downs)["value"] == pytest.approx(reference_area(ups.tolist(), downs.tolist()))  # type: ignore[index]
    perfect = area(np.array([0.9, 0.8, 0.7]), np.array([0.1, 0.2]))
    assert perfect is not None
    assert (perfect["value"], perfect["high"]) == (1.0, 1.0)
    assert perfect["low"] < 0.6
    found = correlation(ups[:60], downs)
    assert found is not None
    assert found["value"] == pytest.approx(float(np.corrcoef(ups[:60], downs)[0, 1]))
    assert found["low"] < found["value"] < found["high"]
