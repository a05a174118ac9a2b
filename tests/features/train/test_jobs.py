"""From an order to a version, and everything that may happen in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from mainspring.core.errors import ConversionRejected, InvalidRequest, MissingExtra, NotFound, QuotaExceeded, TooLarge
from mainspring.features.train.jobs import orders
from mainspring.features.train.jobs.store import KIND
from mainspring.features.train.working import training
from mainspring.training.ports import Order, OrderedTrainings, Trainer, Versions
from tests.features.train.world import fake_model, points, world, write

pytestmark = pytest.mark.slow


async def test_an_order_becomes_a_version(tmp_path: Path) -> None:
    async with world(tmp_path) as home:
        assert isinstance(home.service, Trainer)
        assert isinstance(home.service, OrderedTrainings)
        assert isinstance(home.service, Versions)
        job = await home.over((await home.order(suffix="straight", seed=3)).id)

        assert (job.state, job.version, job.step) == ("succeeded", "straight@1", 50), job
        version = await home.service.version("acme", "straight")
        assert version.label == "straight@1"
        assert version.made.figures["error"] < version.made.before["error"]
        assert json.loads((version.folder / "line.json").read_text())["weights"] == version.made.value["weights"]
        card = (version.folder / "README.md").read_text()
        assert "| error |" in card
        assert "Seed: 3" in card
        assert "sha256" in card
        # What nothing needs any more is gone.
        assert not list((tmp_path / "training" / "jobs" / job.id / "data").glob("*.jsonl"))
        again = await home.over((await home.order(suffix="straight")).id)
        assert again.version == "straight@2"
        assert [each.label async for each in home.service.versions("acme")] == ["straight@2", "straight@1"]
        assert [each async for each in home.service.versions("other")] == []


class Served:
    """Serves whatever it is asked to, but what is called ``unfit``."""

    def __init__(self) -> None:
        self.labels: list[tuple[str, str]] = []
        self.states: list[str] = []

    async def serve(self, row: Any, by: Any) -> str:
        if row.name == "unfit":
            raise ConversionRejected("it is far from what was trained")
        self.labels.append((f"{row.name}@{row.number}", by.actor))
        return self.labels[-1][0]

    async def follow(self) -> None:
        pass


async def test_what_is_to_be_served_answers_before_its_job_is_over(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        serving = Served()
        home.service.serving = cast(Any, serving)
        async with training(home.service):
            plain = await home.over((await home.order(suffix="plain")).id)
            assert (plain.state, serving.labels) == ("succeeded", [])
            job = await home.over((await home.order(suffix="asked", serve=True)).id)
            assert (job.state, serving.labels) == ("succeeded", [("asked@1", home.who.key_id)])
            told = await home.events(job.id)
            assert told.index("asked@1 answers under this name.") < len(told) - 1
            # A gate that refuses it takes nothing of what was made.
            job = await home.over((await home.order(suffix="unfit", serve=True)).id)
            assert (job.state, job.version) == ("succeeded", "unfit@1")
            assert any("unfit@1 is kept, and not served: it is far" in each for each in await home.events(job.id))
    assert "serve" not in orders.plain(Order("line"))
    assert orders.of({**orders.plain(Order("line", serve=True))}).serve


async def test_money_without_a_price_is_reported(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        assert any("has no price" in told for told in await home.events((await home.order(usd=1.0)).id))
        assert not any("has no price" in told for told in await home.events((await home.order()).id))


async def test_the_licence_of_a_base_holds_for_all_that_comes_of_it(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "There."}]
    folder = write(tmp_path / "talks", [{"messages": talk}] * 12)
    async with world(tmp_path, models=fake_model(tmp_path)) as home:
        for base, label in (("tiny", "one@1"), ("one@1", "two@1")):
            await home.over((await home.order("sft", folder=folder, base=base, suffix=label[:3])).id)
            card = ((await home.service.version("acme", label)).folder / "README.md").read_text()
            assert f"- Base: {base} (licence: MIT)" in card


async def test_one_order_with_its_trace_is_one_run(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        first = await home.order(trace_id="t1")
        assert (await home.order(trace_id="t1")).id == first.id
        again = await home.service.ordered_training("acme", Order("line", folder=home.data, trace_id="t1"))
        assert again is not None
        assert again.id == first.id
        assert await home.service.ordered_training("acme", Order("line", folder=home.data, trace_id="t0")) is None
        assert await home.service.ordered_training("other", Order("line", folder=home.data, trace_id="t1")) is None
        assert (await home.order(trace_id="t2")).id != first.id
        assert (await home.order()).id != (await home.order()).id


async def test_what_cannot_be_trained_is_refused_with_a_remedy(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"per_tenant": 2}) as home:
        with pytest.raises(NotFound, match="Did you mean line"):
            await home.order("lin")
        with pytest.raises(InvalidRequest, match=r"steps.*greater than or equal to 1") as caught:
            await home.order(options={"steps": 0})
        assert caught.value.param == "options.steps"
        with pytest.raises(MissingExtra, match=r"no_such_torch.*train\.python"):
            await home.order("torchy")
        with pytest.raises(InvalidRequest, match="starts from a model"):
            await home.order("based")
        with pytest.raises(InvalidRequest, match="starts from nothing"):
            await home.order(base="smollm2-135m-instruct")
        for suffix in ("../up", "Ä", "a" * 65, "a@1", ""):
            if suffix:
                with pytest.raises(InvalidRequest) as caught:
                    await home.order(suffix=suffix)
                assert caught.value.param == "suffix"
        with pytest.raises(InvalidRequest, match="export or a folder"):
            await home.order(export="lakeexport-1", folder=home.data)
        write(tmp_path / "bad", [{"x": 1}, "text"])
        with pytest.raises(InvalidRequest, match=r"train\.jsonl, line 2: not a JSON object") as caught:
            await home.order(folder=tmp_path / "bad")
        assert caught.value.param == "train:2"
        await home.order()
        await home.order()
        with pytest.raises(QuotaExceeded):
            await home.order()
        # What was refused leaves nothing behind.
        assert len(list((tmp_path / "training" / "jobs").iterdir())) == 2
        assert not list((tmp_path / "training" / "drafts").iterdir())


async def test_a_recipe_that_fails_says_why(tmp_path: Path) -> None:
    async with world(tmp_path) as home:
        for how, told in {
            "wrong": "the line is crooked",
            "bug": "ValueError: a bug of the recipe",
            "full": "the disk is full",
            "link": "has a link",
            "outside": "not in its output folder",
            "crash": "ended 5 times without progress",
        }.items():
            job = await home.over((await home.order(options={"fails": how})).id)
            assert job.state == "failed", (how, job)
            assert told in job.error, (how, job)
        # The checkpoint is whole, and the run goes on from it.
        full = await home.order(options={"fails": "full"})
        assert (await home.over(full.id)).step == 7
        kept = tmp_path / "training" / "jobs" / full.id / "checkpoints"
        assert [each.name for each in kept.iterdir()] == ["step-5"]


async def test_it_ends_with_the_best_when_its_time_or_money_is_up(tmp_path: Path) -> None:
    async with world(tmp_path, prices={"per_hour": 3600.0}) as home:
        options = {"steps": 10_000, "pause_s": 0.01}
        bounds: list[dict[str, Any]] = [{"seconds": 8}, {"usd": 8.0}]
        for more in bounds:
            job = await home.over((await home.order(options=options, **more)).id)
            assert job.state == "succeeded", job
            version = await home.service.version("acme", job.version)
            assert 0 < version.made.value["steps"] < 10_000


async def test_a_run_that_takes_too_much_memory_ends(tmp_path: Path) -> None:
    async with world(tmp_path, train={"memory_mb": 300}) as home:
        job = await home.over((await home.order(options={"fails": "memory", "pause_s": 0.1, "steps": 500})).id)
        assert job.state == "failed"
        assert "train.memory_mb" in job.error
        with pytest.raises(InvalidRequest):
            await home.order(options={"steps": "many"})


async def test_pause_resume_and_cancel(tmp_path: Path) -> None:
    async with world(tmp_path) as home:
        options = {"steps": 200, "pause_s": 0.02}
        job = await home.order(options=options)
        await home.until(job.id, lambda each: each.step > 5)
        await home.service.pause(home.who, job.id)
        paused = await home.until(job.id, lambda each: each.state == "paused")
        assert 5 < paused.step < 200
        await home.service.resume(home.who, job.id)
        assert (await home.over(job.id)).state == "succeeded"
        steps = [each["step"] for each in home.service.folder(await home.service.jobs.of("acme", job.id)).metrics()]
        assert steps == list(range(1, 201))

        job = await home.order(options={"steps": 5000, "pause_s": 0.02})
        await home.until(job.id, lambda each: each.step > 2)
        await home.service.cancel_training(home.who, job.id)
        assert (await home.over(job.id)).state == "cancelled"


async def test_a_job_waits_for_the_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.features.train.jobs import limits

    day = {"left": 0.0}
    monkeypatch.setattr(limits.Night, "left_s", lambda self, now: day["left"])
    async with world(tmp_path) as home:
        job = await home.order(night=True)
        await home.until(job.id, lambda each: each.state == "waiting")
        day["left"] = 3600.0
        await home.service.wake()
        assert (await home.over(job.id)).state == "succeeded"


async def test_jobs_of_a_revoked_key_stop(tmp_path: Path) -> None:
    async with world(tmp_path) as home:
        job = await home.order(options={"steps": 5000, "pause_s": 0.02})
        await home.until(job.id, lambda each: each.step > 2)
        await home.stores.keys.revoke("acme", home.who.key_id)
        ended = await home.over(job.id)
        assert ended.state == "failed"
        assert "revoked" in ended.error


async def test_another_tenant_sees_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        job = await home.order()
        info, _ = await home.stores.keys.create("you", tenant="other", scopes=frozenset({"admin"}))
        stranger = info.principal()
        for call in (home.service.pause, home.service.resume, home.service.cancel_training, home.service.delete_job):
            with pytest.raises(NotFound):
                await call(stranger, job.id)
        with pytest.raises(NotFound):
            await home.service.training_job("other", job.id)


async def test_rows_that_are_alike_stay_on_one_side(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        rows = [
            {
                "messages": [
                    {"role": "user", "content": f"{said} number {each}?"},
                    {"role": "assistant", "content": "No"},
                ]
            }
            for each in range(30)
            for said in (
                f"Is the delivery of parcel {each * 37} on its way",
                f"Is the delivery of parcel {each * 37} on its  way",
            )
        ]
        job = await home.order("chats", folder=write(tmp_path / "talk", rows))
        data = tmp_path / "training" / "jobs" / job.id / "data"
        sides = {
            side: {json.loads(line)["messages"][0]["content"].split()[5] for line in (data / f"{side}.jsonl").open()}
            for side in ("train", "validation", "test")
        }
        assert all(sides.values())
        assert not sides["train"] & (sides["validation"] | sides["test"])
        assert points()


async def test_huge_rows_and_links_are_refused(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"row_bytes": 200, "rows": 50}) as home:
        write(tmp_path / "long", [{"x": 1, "y": 1}, {"x": 1, "y": 1, "note": "a" * 300}])
        with pytest.raises(InvalidRequest, match=r"train\.jsonl, line 2: the row has more than 200 bytes"):
            await home.order(folder=tmp_path / "long")
        with pytest.raises(TooLarge, match=r"train\.rows"):
            await home.order(folder=write(tmp_path / "many", [{"x": 1, "y": 1}] * 51))
        with pytest.raises(InvalidRequest, match="has no rows"):
            await home.order(folder=write(tmp_path / "none", []))
        (tmp_path / "linked").mkdir()
        (tmp_path / "linked" / "train.jsonl").symlink_to(home.data / "train.jsonl")
        with pytest.raises(InvalidRequest, match="cannot be read"):
            await home.order(folder=tmp_path / "linked")


async def test_tenants_take_turns(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        info, _ = await home.stores.keys.create("you", tenant="other", scopes=frozenset({"admin"}))
        mine = [(await home.order()).id for _ in range(3)]
        theirs = (await home.order(who=info.principal())).id
        leased = [await home.stores.jobs.lease(KIND, f"lease_{n}", 30.0) for n in range(4)]
        assert [job.id for job in leased if job is not None] == [mine[0], theirs, mine[1], mine[2]]


async def test_stale_versions_are_withdrawn_if_the_settings_say_so(tmp_path: Path) -> None:
    class Serving:
        def __init__(self) -> None:
            self.withdrawn: list[str] = []

        async def serve(self, row: Any, by: Any) -> str:
            raise NotImplementedError

        async def withdraw(self, row: Any, by: Any) -> None:
            self.withdrawn.append(f"{row.name}@{row.number}")

        async def follow(self) -> None:
            """Nothing comes from elsewhere."""

        def engine(self, tenant: str, label: str) -> Any:
            raise NotImplementedError

        def chat(self, tenant: str, label: str) -> Any:
            raise NotImplementedError

    # The third is in no catalogue, as a translator, which its application opens.
    for wanted, gone in (("mark", []), ("withdraw", ["line@1", "line@3"])):
        async with world(tmp_path / wanted, train={"on_erasure": wanted}) as home:
            for _ in range(3):
                await home.over((await home.order()).id)
            for number in (1, 2):
                await home.service.kept.change("acme", "line", number, served=f"line.v{number}")
            for number in (1, 3):
                await home.service.kept.change("acme", "line", number, stale="rows were erased")
            serving = Serving()
            home.service.serving = cast(Any, serving)
            await home.service.follow()
            assert sorted(set(serving.withdrawn)) == gone
