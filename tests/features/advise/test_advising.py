"""Advice: each way really asked, the rows and why, what is not tried, kills, cancels and erasures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.errors import Conflict, Forbidden, InvalidRequest, MissingExtra, NotFound, QuotaExceeded
from mainspring.core.facts.trials import AdviceFacts
from mainspring.core.types import Message, Principal
from mainspring.features.advise.shapes import advice_body, markdown
from mainspring.features.advise.trying.running import STAGES
from mainspring.features.advise.trying.stages import Advice
from mainspring.features.advise.trying.tools import AdviceTools
from mainspring.features.advise.wish import Tune
from mainspring.features.datasets.tables import data_set_rows
from mainspring.serving.ring.registry import Served
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from tests.features.advise.world import Killed, Mortal, World, examples, world


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as opened:
        yield opened


async def told(home: World, advice_id: str) -> dict[str, Any]:
    return advice_body(await home.advise.store.get(home.who, advice_id))


def by_way(body: dict[str, Any]) -> dict[str, Any]:
    return {row["way"]: row for row in body["report"]["rows"]}


async def test_every_way_is_tried_and_the_best_one_is_recommended(home: World) -> None:
    await home.collection()
    made = await home.submit(home.tuned())
    await home.work()
    body = await told(home, made)
    assert (body["status"], body["verdict"]) == ("completed", "recommended"), body["error"]
    found = by_way(body)
    assert {way: row["tried"] for way, row in found.items()} == dict.fromkeys(body["ways"], True)
    n = body["report"]["sample"]["measured"]
    assert {row["quality"]["n"] for row in found.values()} == {n}
    assert found["prompt"]["quality"]["mean"] < found["few-shot"]["quality"]["mean"] < found["rag"]["quality"]["mean"]
    assert found["prompt"]["usd"] > 0
    assert "beyond doubt" in body["report"]["out"]["prompt"]
    assert body["way"] == "rag"
    # What is measured teaches nothing.
    measured = {each.question for each in await home.lab.data.examples(home.who, f"advice-{made}")}
    (trained,) = home.trainer.rows.values()
    assert trained
    assert measured.isdisjoint(json.loads(line)["messages"][0]["content"] for line in trained)
    (shots,) = [each for each in home.door.admitted.values() if each.kind == "examples"]
    assert measured.isdisjoint(each["question"] for each in shots.value["examples"])
    # The rows for training are gone, and what was not recommended gets no traffic.
    assert not list((Path(home.lab.rooms.settings.home) / "advice").glob("*/*"))
    assert any(name.startswith("writer@") for name in home.door.withdrawn)
    text = markdown(body)
    assert "| few-shot | 0." in text
    assert "What each way is for" in text


class Placed:
    """A tenant has put something on its model ``writer``, and tries a candidate with a share of the requests."""

    def __init__(self, home: World) -> None:
        self.registry = home.lab.rooms.path.registry

    def varied(self, served: Served, principal: Principal) -> Served:
        del principal
        share = self.registry._served["writer@cand_tried"].responder
        return dataclasses.replace(served, responder=share) if served.name == "writer" else served


async def test_a_candidate_that_is_tried_out_is_not_measured_as_the_model(home: World) -> None:
    home.right["promoted"] = 3
    home.serve("writer@current", "promoted")
    home.serve("writer@cand_tried", "model")
    home.lab.rooms.path.registry.variants = Placed(home)
    made = await home.submit(home.wish(ways=("prompt",)))
    await home.work()
    (row,) = (await told(home, made))["report"]["rows"]
    assert row["name"] == "writer@current"
    assert any("what is promoted there now" in each for each in row["notes"])


async def test_each_decision_is_an_event_with_its_figures(home: World) -> None:
    made = await home.submit(home.wish())
    await home.work()
    found = [
        each.facts
        for each in await home.lab.rooms.stores.events.find(home.who.tenant, kind="advice")
        if isinstance(each.facts, AdviceFacts)
    ]
    assert {each.advice for each in found} == {made}
    assert [each.stage for each in found if not each.way][-1] == "completed"
    decided = {(each.way, each.decision) for each in found if each.way}
    assert {
        ("prompt", "admitted"),
        ("few-shot", "admitted"),
        ("rag", "not_tried"),
        ("fine-tune", "not_tried"),
    } <= decided
    (last,) = [each for each in found if each.decision in ("recommended", "unsure")]
    assert last.figures is not None
    assert last.figures["n"] > 0


async def test_what_is_not_tried_says_why_and_by_which_command(home: World) -> None:
    made = await home.submit(home.wish())
    await home.work()
    found = by_way(await told(home, made))
    assert "--collection" in found["rag"]["command"]
    assert "budget" in found["fine-tune"]["reason"]
    assert "mainspring advise asked@1 --model writer" in found["fine-tune"]["command"]
    assert "--train-seconds" in found["fine-tune"]["command"]
    assert not home.trainer.orders


async def test_a_recipe_whose_extra_is_missing_fails_its_rows_alone(home: World) -> None:
    await home.collection()
    home.trainer.refuses = MissingExtra("the recipe sft needs torch", remedy="pip install 'mainspring[train]'")
    made = await home.submit(home.tuned())
    await home.work()
    body = await told(home, made)
    found = by_way(body)
    assert body["status"] == "completed"
    assert (found["fine-tune"]["tried"], found["both"]["tried"]) == (False, False)
    assert found["both"]["reason"] == "the recipe sft needs torch"
    assert found["fine-tune"]["command"].startswith("pip install")
    assert found["rag"]["tried"]


async def test_a_training_that_fails_fails_its_rows_alone(home: World) -> None:
    home.trainer.fails = "nothing was learned"
    made = await home.submit(home.wish(tune=Tune(seconds=5.0)))
    await home.work()
    body = await told(home, made)
    assert "nothing was learned" in by_way(body)["fine-tune"]["reason"]
    assert by_way(body)["prompt"]["tried"]


@pytest.mark.parametrize("per_hour", [None, 0.0, 1.0])
async def test_a_way_without_a_price_says_so_beside_one_that_has_one(home: World, per_hour: float | None) -> None:
    await home.collection()
    home.right |= {"prompt": 5, "docs": 5}
    made = await home.submit(home.wish(collection="docs", ways=("prompt", "rag"), margin=0.5, usd_per_hour=per_hour))
    await home.work()
    body = await told(home, made)
    rag = by_way(body)["rag"]
    assert by_way(body)["prompt"]["usd"] > 0
    if per_hour is None:
        assert (rag["priced"], rag["monthly"], body["verdict"]) == (False, None, "unsure")
        assert any("--usd-per-hour" in each for each in body["report"]["reasons"])
        assert "unknown" in markdown(body)
    else:
        assert (rag["priced"], body["verdict"]) == (True, "recommended")
        assert rag["monthly"] is not None


async def test_facts_that_change_every_hour_rule_weights_alone_out(home: World) -> None:
    await home.collection()
    home.right |= {"tuned": 10}
    made = await home.submit(home.tuned(changes=720.0, usd_per_hour=2.0))
    await home.work()
    body = await told(home, made)
    assert "facts change every 1.0 hours" in body["report"]["out"]["fine-tune"]
    assert body["way"] != "fine-tune"
    assert by_way(body)["fine-tune"]["upfront_usd"] == pytest.approx(2.0)


@pytest.mark.parametrize("dies", [2, 5])
async def test_a_kill_at_a_write_loses_nothing_and_does_nothing_twice(home: World, dies: int) -> None:
    assert not await killed_at_a_write(home, dies, committed=dies == 2)


async def test_a_kill_at_an_effect_does_it_once(home: World) -> None:
    assert not await killed_at_an_effect(home, 4)


@pytest.mark.kills
@pytest.mark.parametrize("committed", [True, False])
async def test_kills_at_every_write(tmp_path: Path, committed: bool) -> None:
    for dies in range(1, 100):
        async with world(tmp_path / f"{dies}") as home:
            if await killed_at_a_write(home, dies, committed=committed):
                break
    assert 7 < dies < 99


@pytest.mark.kills
async def test_kills_at_every_effect(tmp_path: Path) -> None:
    for at in range(1, 100):
        async with world(tmp_path / f"{at}") as home:
            if await killed_at_an_effect(home, at):
                break
    assert 8 < at < 99


async def killed_at_a_write(home: World, dies: int, *, committed: bool) -> bool:
    """Whether the advice was over before that write."""
    await home.collection()
    made = await home.submit(home.tuned(), count=40)
    home.open(Mortal(home.lab.rooms.stores.database, dies, committed=committed))
    return await _resumed(home, made)


async def killed_at_an_effect(home: World, at: int) -> bool:
    """Whether the advice was over before that effect."""
    await home.collection()
    made = await home.submit(home.tuned(), count=40)
    home.hand.at = at
    return await _resumed(home, made)


async def _resumed(home: World, made: str) -> bool:
    survived = False
    try:
        await home.work()
        survived = True
    except Killed:
        await home.left(made)
        home.open()
        if (await told(home, made))["ended_at"] is None:
            await home.work()
    await check_once(home, made)
    return survived


async def check_once(home: World, made: str) -> None:
    body = await told(home, made)
    assert (body["status"], body["error"]) == ("completed", None)
    assert all(row["tried"] for row in body["report"]["rows"])
    assert len(home.trainer.orders) == 1
    assert len(home.trainer.rows) == 1
    assert sorted(each.kind for each in home.door.admitted.values()) == ["examples", "model", "model"]
    version = await home.lab.data.version(home.who, f"advice-{made}")
    assert version.number == 1
    experiment = await home.lab.experiments.results.get(home.who, body["report"]["experiment"])
    assert experiment.done == 6 * body["report"]["sample"]["measured"]
    stages = [each["stage"] for each in body["steps"]]
    assert stages[-1] == "completed"
    assert stages.count("deciding") == 1


async def test_a_cancelled_one_stops_what_it_ordered(home: World) -> None:
    home.trainer.endless = True
    made = await home.submit(home.wish(tune=Tune(seconds=5.0)))
    await home.work(until=lambda: bool(home.trainer.orders))
    await home.left(made)
    await home.advise.cancel(home.who, made)
    await home.work()
    assert (await told(home, made))["status"] == "cancelled"
    assert len(home.trainer.cancelled) == 1


async def test_orders_that_cannot_be_worked_on_name_the_field(home: World) -> None:
    await home.lab.data.add_examples(home.who, "asked", examples(8))
    cases = {
        "collection": home.wish(collection="nowhere"),
        "fine_tune.seconds": home.wish(tune=Tune()),
        "fine_tune.usd": home.wish(tune=Tune(usd=3.0)),
        "fine_tune.recipe": home.wish(tune=Tune(recipe="dpo", seconds=3.0)),
        "questions": home.wish(questions=100_000),
        "scorer": home.wish(scorer="nobody"),
        "fine_tune.options": home.wish(tune=Tune(seconds=3.0, options={"stepps": 3})),
        "prompt": home.wish(prompt={"name": "nowhere", "wanted": "", "variables": {}}),
    }
    for param, wish in cases.items():
        with pytest.raises(InvalidRequest) as refused:
            await home.advise.submit(home.who, "asked", None, wish)
        assert refused.value.param == param
    weak = dataclasses.replace(home.who, scopes=frozenset({"advise", "chat"}))
    with pytest.raises(Forbidden):
        await home.advise.submit(weak, "asked", None, home.wish(tune=Tune(seconds=3.0)))
    with pytest.raises(NotFound) as missing:
        await home.advise.submit(home.who, "nothing", None, home.wish())
    assert missing.value.param == "dataset"


async def test_a_tenant_has_so_many_at_once_and_keeps_its_own_to_itself(home: World) -> None:
    first = await home.submit(home.wish(), count=20)
    for _ in range(home.advise.settings.per_tenant - 1):
        await home.advise.submit(home.who, "asked", None, home.wish())
    with pytest.raises(QuotaExceeded):
        await home.advise.submit(home.who, "asked", None, home.wish())
    with pytest.raises(Conflict):
        await home.advise.delete(home.who, first)
    other = dataclasses.replace(home.who, tenant="other")
    with pytest.raises(NotFound):
        await home.advise.store.get(other, first)


async def test_what_is_deleted_takes_its_sample_with_it(home: World) -> None:
    made = await home.submit(home.wish(), count=20)
    await home.work()
    await home.advise.delete(home.who, made)
    with pytest.raises(NotFound):
        await home.lab.data.version(home.who, f"advice-{made}")


async def test_advice_keeps_no_texts_and_forgets_who_asked(home: World) -> None:
    made = await home.submit(home.wish(), count=40)
    await home.work()
    row = await home.advise.store.get(home.who, made)
    kept = " ".join(str(value) for value in row._mapping.values())
    assert not any(each.question in kept or each.references[0] in kept for each in examples(40))
    (holding,) = [each for each in home.lab.rooms.stores.holdings if each.name == "advice"]
    subject = Subject(home.who.tenant, "user", row.owner)
    (found,) = await holding.find(subject, SubjectData(), 9e9, None)
    assert found["id"] == made
    assert await holding.erase(subject, SubjectData(), 9e9) == 1
    assert (await home.advise.store.get(home.who, made)).owner == ""
    await holding.erase(Subject(home.who.tenant, "tenant", home.who.tenant), SubjectData(), 9e9)
    with pytest.raises(NotFound):
        await home.advise.store.get(home.who, made)


async def test_what_is_measured_teaches_nothing_after_an_erasure(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given = examples(80)
    # Each question has a near-duplicate, and the first ones of the pairs are erased once the sample is drawn.
    pairs = [
        replace(each, id=f"{each.id}-{copy}", messages=(Message("user", change(each.question)),))
        for each in given
        for copy, change in (("a", str), ("b", str.upper))
    ]
    await home.lab.data.add_examples(home.who, "asked", pairs)
    made = str((await home.advise.submit(home.who, "asked", None, home.wish(ways=("few-shot",), questions=500))).id)
    preparing = STAGES["preparing"]

    async def erased(tools: AdviceTools, advice: Advice) -> Any:
        mine = data_set_rows.c.id.like("%-a")
        gone = sa.delete(data_set_rows).where(mine)
        await home.lab.rooms.stores.database.write(lambda connection: connection.execute(gone) and None)
        return await preparing(tools, advice)

    monkeypatch.setitem(STAGES, "preparing", erased)
    await home.work()
    measured = {each.question for each in await home.lab.data.examples(home.who, f"advice-{made}")}
    assert measured
    (shots,) = home.door.admitted.values()
    assert measured.isdisjoint(each["question"] for each in shots.value["examples"])


async def test_a_comparison_that_is_cut_off_counts_as_far_as_it_came(home: World) -> None:
    home.cut = 21
    made = await home.submit(home.wish(ways=("prompt", "few-shot")))
    await home.work()
    body = await told(home, made)
    assert body["status"] == "completed", body["error"]
    assert 9 <= body["report"]["sample"]["measured"] <= 12
    assert any("was cancelled after" in each["reason"] for each in body["steps"])


async def test_a_comparison_that_is_cut_off_at_once_fails(home: World) -> None:
    home.cut = 0
    made = await home.submit(home.wish(ways=("prompt", "few-shot")), count=20)
    await home.work()
    body = await told(home, made)
    assert body["status"] == "failed"
    assert "cancelled" in body["error"]
