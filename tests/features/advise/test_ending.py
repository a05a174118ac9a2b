"""What an advice began ends with it, however it ends; what people had before, or took up since, stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import EngineError, Overloaded, QuotaExceeded, RateLimited
from mainspring.features.advise.store import KIND
from mainspring.features.advise.trying.running import AdviceWork
from mainspring.features.advise.wish import Tune
from mainspring.stores.sql import ids
from mainspring.stores.sql.worker import Lease
from mainspring.training.ports import Candidate
from mainspring.training.stages import keyed
from tests.features.advise.test_advising import told
from tests.features.advise.world import Killed, World, world

WRITTEN = Candidate("model", "docs", {"model": "writer"})
NAME = f"docs@{WRITTEN.id}"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as opened:
        yield opened


async def test_what_people_had_admitted_before_stays(home: World) -> None:
    await home.collection()
    await home.door.admit(home.who, WRITTEN)
    made = await home.submit(home.tuned())
    await home.work()
    body = await told(home, made)
    assert (body["status"], body["way"]) == ("completed", "rag")
    assert NAME not in home.door.withdrawn
    # What the advice brought in itself is gone.
    assert sorted(set(home.door.admitted) - set(home.door.withdrawn)) == [NAME]
    assert home.trainer.withdrawn == {"tuned@1"}


async def test_what_people_placed_meanwhile_stays(home: World) -> None:
    await home.collection()
    home.door.placed.add(NAME)
    await home.submit(home.tuned())
    await home.work()
    assert NAME not in home.door.withdrawn
    assert len(home.door.withdrawn) == 2


async def test_a_version_that_people_serve_or_placed_stays(home: World) -> None:
    await home.collection()
    home.trainer.by_people = "tuned@1"
    await home.submit(home.tuned())
    await home.work()
    assert not home.trainer.withdrawn
    home.trainer.by_people = ""
    both = Candidate("model", "docs", {"model": "tuned@1"}, "tuned@1")
    home.door.placed.add(f"docs@{both.id}")
    home.door.withdrawn.clear()
    home.door.admitted.clear()
    await home.advise.submit(home.who, "asked", None, home.tuned())
    await home.work()
    assert not home.trainer.withdrawn


async def test_what_another_advice_measures_stays(home: World) -> None:
    await home.collection()
    home.trainer.endless = True
    first = await home.submit(home.tuned())
    await home.work(until=lambda: bool(home.trainer.orders))
    job = await home.lab.rooms.stores.jobs.get(home.who.tenant, first)
    assert job.state == "running"
    second = await home.advise.submit(home.who, "asked", None, home.wish(collection="docs"))
    await home.work()
    assert (await told(home, second.id))["status"] == "completed"
    assert not home.door.withdrawn


async def test_a_kill_between_the_record_and_the_admission_makes_nothing_of_peoples_the_advices(home: World) -> None:
    await home.collection()
    await home.door.admit(home.who, WRITTEN)
    made = await home.submit(home.tuned())
    home.hand.at = home.hand.seen + 2
    with pytest.raises(Killed):
        await home.work()
    await home.left(made)
    home.open()
    await home.work()
    assert (await told(home, made))["status"] == "completed"
    assert sorted(set(home.door.admitted) - set(home.door.withdrawn)) == [NAME]


async def test_an_advice_that_fails_stops_what_it_began(home: World) -> None:
    await home.collection()
    home.cut = 0
    made = await home.submit(home.tuned(), count=40)
    await home.work()
    assert (await told(home, made))["status"] == "failed"
    assert home.trainer.withdrawn == {"tuned@1"}
    assert set(home.door.withdrawn) == set(home.door.admitted)
    assert len(home.door.admitted) == 3


async def test_a_revoked_key_and_a_given_up_advice_stop_their_training(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.trainer.endless = True
    made = await home.submit(home.wish(tune=Tune(seconds=5.0)))
    await home.work(until=lambda: bool(home.trainer.orders))
    await home.left(made)

    async def nobody(*_: Any) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr(AdviceWork, "_principal", nobody)
        await home.work()
    assert "revoked" in (await told(home, made))["error"]
    assert len(home.trainer.cancelled) == 1
    again = await home.advise.submit(home.who, "asked", None, home.wish(tune=Tune(seconds=5.0)))
    await home.work(until=lambda: len(home.trainer.orders) == 2)
    await home.left(again.id)
    job = await home.lab.rooms.stores.jobs.lease(KIND, ids.new("lease_"), 30.0)
    assert job is not None
    await home.advise.work().give_up(Lease(job), EngineError("the engine is gone"))
    assert (await told(home, again.id))["error"] == "it failed: the engine is gone"
    assert len(home.trainer.cancelled) == 2


@pytest.mark.parametrize("what", ["training", "comparison"])
async def test_what_was_ordered_and_not_noted_is_stopped_too(
    home: World, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, compare = home.trainer.order, home.lab.experiments.compare_once

    async def killed(*given: Any, **more: Any) -> Any:
        await (order if what == "training" else compare)(*given, **more)
        raise Killed

    home.trainer.endless = what == "training"
    tune = Tune(seconds=5.0) if what == "training" else None
    made = await home.submit(home.wish(tune=tune), count=40)
    with monkeypatch.context() as patch:
        if what == "training":
            patch.setattr(home.trainer, "order", killed)
        else:
            patch.setattr(home.lab.experiments, "compare_once", killed)
        # Nobody works on experiments meanwhile.
        job = await home.lab.rooms.stores.jobs.lease(KIND, ids.new("lease_"), 30.0)
        assert job is not None
        with pytest.raises(Killed):
            await home.advise.work()(Lease(job))
    await home.left(made)
    await home.advise.cancel(home.who, made)
    await home.work()
    assert (await told(home, made))["status"] == "cancelled"
    if what == "training":
        assert len(home.trainer.cancelled) == 1
    else:
        job = await home.lab.rooms.stores.jobs.get(home.who.tenant, keyed("exp_", home.who.tenant, f"{made}/compare"))
        assert job.cancelled or job.state == "cancelled"


@pytest.mark.parametrize("error", [QuotaExceeded, RateLimited, Overloaded])
async def test_what_passes_is_waited_for(home: World, error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = home.lab.experiments.compare_once
    refused: list[int] = []

    async def busy(*given: Any, **more: Any) -> Any:
        if len(refused) < 3:
            refused.append(1)
            raise error("20 experiments are under way")
        return await compare(*given, **more)

    monkeypatch.setattr(home.lab.experiments, "compare_once", busy)
    made = await home.submit(home.wish(ways=("prompt", "few-shot")), count=40)
    await home.work()
    body = await told(home, made)
    assert body["status"] == "completed", body["error"]
    assert sum("it waits: 20 experiments" in each["reason"] for each in body["steps"]) == 1


async def test_patience_ends(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: Any, **__: Any) -> Any:
        raise QuotaExceeded("20 experiments are under way")

    monkeypatch.setattr(home.lab.experiments, "compare_once", busy)
    home.advise.tools.settings = home.advise.settings.model_copy(update={"patience_s": 0.05})
    made = await home.submit(home.wish(ways=("prompt", "few-shot")), count=40)
    await home.work()
    body = await told(home, made)
    assert (body["status"], body["error"]) == ("failed", "20 experiments are under way")
    assert set(home.door.withdrawn) == set(home.door.admitted)


async def test_a_training_that_cannot_be_ordered_for_now_is_waited_for(home: World) -> None:
    home.trainer.refuses = QuotaExceeded("4 trainings are under way")
    home.advise.tools.settings = home.advise.settings.model_copy(update={"patience_s": 0.05})
    made = await home.submit(home.wish(tune=Tune(seconds=5.0)), count=40)
    await home.work()
    body = await told(home, made)
    assert body["status"] == "completed"
    assert any("it waits: 4 trainings" in each["reason"] for each in body["steps"])
    found = {row["way"]: row for row in body["report"]["rows"]}
    assert found["fine-tune"]["reason"] == "4 trainings are under way"
