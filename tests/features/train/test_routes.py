"""The routes: OpenAI's client trains, and our own routes show all of it; other tenants see nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from mainspring.core.settings import ServingSettings
from tests.features.train.world import fake_model, points
from tests.world import Key, World, echoing, opened, use_engines

pytestmark = pytest.mark.slow
TALK = [
    {
        "messages": [
            {"role": "user", "content": f"How much is {n} plus {n * 3}?"},
            {"role": "assistant", "content": str(4 * n)},
        ]
    }
    for n in range(40)
]
PAIRS = [
    {
        "input": {"messages": [{"role": "user", "content": f"Tell me about the number {n * 17}."}]},
        "preferred_output": [{"role": "assistant", "content": "It is a number."}],
        "non_preferred_output": [{"role": "assistant", "content": "No."}],
    }
    for n in range(40)
]


@asynccontextmanager
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, echoing("small"))
    free = ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9, semantic_cache=False)
    async with opened(tmp_path, models=fake_model(tmp_path), serving=free) as world, world.system.working():
        yield world


def client_of(world: World, key: Key) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key.secret, base_url="http://here/v1", http_client=world.client, max_retries=0)  # type: ignore[arg-type]


def lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


async def uploaded(client: openai.AsyncOpenAI, rows: list[Any], name: str = "rows.jsonl") -> str:
    return (await client.files.create(file=(name, lines(rows)), purpose="fine-tune")).id


async def over(client: openai.AsyncOpenAI, job_id: str) -> Any:
    async with asyncio.timeout(60):
        while True:
            job = await client.fine_tuning.jobs.retrieve(job_id)
            if job.status in ("succeeded", "failed", "cancelled"):
                return job
            await asyncio.sleep(0.1)


async def test_openai_s_client_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as world:
        client = client_of(world, world.keys["red"])
        file = await uploaded(client, TALK)
        job = await client.fine_tuning.jobs.create(
            model="tiny",
            training_file=file,
            suffix="sums",
            seed=5,
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}},
            metadata={"team": "blue"},
            integrations=[{"type": "wandb", "wandb": {"project": "p"}}],
        )
        assert (job.object, job.model, job.seed, job.training_file) == ("fine_tuning.job", "tiny", 5, file)
        assert job.hyperparameters.n_epochs == 2
        done = await over(client, job.id)
        assert (done.status, done.fine_tuned_model) == ("succeeded", "sums@1"), done
        assert done.error is None
        told = [event async for event in client.fine_tuning.jobs.list_events(job.id, limit=20)]
        assert {"message", "metrics"} == {event.type for event in told}
        assert told[0].created_at >= told[-1].created_at
        # What this recipe makes answers under no name; the version is there nevertheless.
        assert any("sums@1 is kept, and not served" in event.message for event in told)
        saved = await client.fine_tuning.jobs.checkpoints.list(job.id)
        assert saved.data[0].fine_tuned_model_checkpoint == "sums@1"
        assert saved.data[0].metrics.train_loss is not None
        pairs = await uploaded(client, PAIRS)
        dpo: Any = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "learning_rate_multiplier": 2}}}
        other = await client.fine_tuning.jobs.create(
            model="tiny", training_file=pairs, validation_file=pairs, method=dpo
        )
        assert (await over(client, other.id)).status == "succeeded"
        listed = [each.id async for each in client.fine_tuning.jobs.list(limit=1)]
        assert listed == [other.id, job.id]
        assert [each.id async for each in client.fine_tuning.jobs.list(metadata={"team": "blue"})] == [job.id]
        with pytest.raises(openai.ConflictError):
            await client.fine_tuning.jobs.cancel(job.id)
        # Nobody else sees any of it: not another tenant, and not a key without the groups.
        for name in ("stranger", "blue"):
            stranger = client_of(world, world.keys[name])
            with pytest.raises(openai.NotFoundError):
                await stranger.fine_tuning.jobs.retrieve(job.id)
            with pytest.raises(openai.NotFoundError):
                await stranger.fine_tuning.jobs.create(model="tiny", training_file=file)
            assert [each async for each in stranger.fine_tuning.jobs.list()] == []
            answer = await world.call(world.keys[name], "GET", "/v1/training/versions/sums@1")
            assert answer.status_code == 404


async def test_pause_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as world:
        client = client_of(world, world.keys["red"])
        slow: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 100}}}
        file = await uploaded(client, TALK)
        job = await client.fine_tuning.jobs.create(model="tiny", training_file=file, method=slow)
        async with asyncio.timeout(30):
            while (await client.fine_tuning.jobs.retrieve(job.id)).status != "running":
                await asyncio.sleep(0.05)
        await client.fine_tuning.jobs.pause(job.id)
        async with asyncio.timeout(30):
            while str((await client.fine_tuning.jobs.retrieve(job.id)).status) != "paused":
                await asyncio.sleep(0.05)
        assert (await client.fine_tuning.jobs.resume(job.id)).status == "queued"
        cancelled = await client.fine_tuning.jobs.cancel(job.id)
        assert (await over(client, cancelled.id)).status == "cancelled"


HUGE = {"type": "supervised", "supervised": {"hyperparameters": {"learning_rate_multiplier": 900}}}
WRONG: list[tuple[dict[str, Any], str | None]] = [
    ({"method": {"type": "supervised", "dpo": {}}}, "method.dpo"),
    ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 0}}}}, "method.dpo.hyperparameters.n_epochs"),
    ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": -1}}}}, "method.dpo.hyperparameters.beta"),
    ({"method": {"type": "reinforcement", "reinforcement": {"grader": {"type": "python"}}}}, "method"),
    ({"suffix": "../../etc"}, "suffix"),
    ({"training_file": "file-none"}, "training_file"),
    ({"validation_file": "file-none"}, "validation_file"),
    ({"model": "line"}, "model"),
    ({"model": "line@1"}, "model"),
    ({"method": HUGE}, "method.supervised.hyperparameters.learning_rate_multiplier"),
    ({"seed": -1}, "seed"),
    ({"metadata": {"a": "b" * 600}}, "metadata.a"),
]


async def test_what_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as world:
        key = world.keys["red"]
        file = await uploaded(client_of(world, key), TALK)
        for body, param in WRONG:
            asked = {"model": "tiny", "training_file": file, **body}
            answer = await world.call(key, "POST", "/v1/fine_tuning/jobs", asked)
            assert 400 <= answer.status_code < 500, (body, answer.text)
            if param is not None:
                assert str(answer.json()["error"]["param"]).startswith(param), (body, answer.text)


async def test_each_field_of_a_plan_and_of_a_job_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as world:
        key = world.keys["red"]
        client = client_of(world, key)
        file = await uploaded(client, TALK)
        other = (await client.files.create(file=("a.txt", b"text"), purpose="user_data")).id

        async def param(path: str, **body: Any) -> str:
            answer = await world.call(key, "POST", f"/v1/training/{path}", body)
            assert 400 <= answer.status_code < 500, answer.text
            error = answer.json()["error"]
            if error["param"] == "base":
                assert "there are: tiny" in error["message"], error
                assert "?." not in error["message"], error
            return str(error["param"])

        both = {"training_file": file}
        for wrong, named in (
            ({"recipe": "lin"}, "recipe"),
            ({"recipe": "based", "base": "tinny"}, "base"),
            ({"recipe": "based", "base": "tiny@3"}, "base"),
            ({"recipe": "based"}, "base"),
            ({"recipe": "line", "options": {"steps": -1}}, "options.steps"),
            ({"recipe": "line", "options": {"colour": 1}}, "options.colour"),
        ):
            assert await param("plan", **wrong) == named, wrong
            assert await param("jobs", **wrong, **both) == named, wrong
        chats = {"recipe": "chats"}
        assert await param("jobs", **chats) == "training_file"
        assert await param("jobs", **chats, training_file="file-none") == "training_file"
        assert await param("jobs", **chats, training_file=other) == "training_file"
        assert await param("jobs", **chats, **both, test_file="file-none") == "test_file"
        assert (
            await param("jobs", **chats, **both, validation_file=await uploaded(client, [{"x": 1}]))
            == "validation_file:1"
        )
        assert await param("jobs", **chats, export="lakeexport-none") == "export"
        assert await param("jobs", **chats, **both, seconds=-1) == "seconds"


async def test_our_own_routes_show_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as world:
        key = world.keys["red"]
        client = client_of(world, key)

        async def get(path: str, **more: Any) -> Any:
            answer = await world.call(key, "GET", f"/v1/training{path}", **more)
            assert answer.status_code == 200, answer.text
            return answer.json()

        recipes = {each["id"]: each for each in (await get("/recipes"))["data"]}
        assert recipes["line"]["options"]["properties"]["steps"]["default"] == 50
        assert (await get("/recipes/line"))["makes"] == "answering"
        file = await uploaded(client, points())
        body = {"recipe": "line", "training_file": file, "suffix": "drawn", "options": {"steps": 30}}
        job = (await world.call(key, "POST", "/v1/training/jobs", body)).json()
        assert job["data"]["source"] == "files"
        await over(client, job["id"])
        done = await get(f"/jobs/{job['id']}")
        assert (done["status"], done["version"], done["step"]) == ("succeeded", "drawn@1", 30), done
        first = await get(f"/jobs/{job['id']}/metrics?limit=10")
        assert [each["step"] for each in first["data"]] == list(range(1, 11))
        rest = await get(f"/jobs/{job['id']}/metrics?after={first['next']}")
        assert [each["step"] for each in rest["data"]] == list(range(11, 31))
        assert [each["step"] for each in (await get(f"/jobs/{job['id']}/samples"))["data"]] == [0, 30]
        assert (await get(f"/jobs/{job['id']}/log"))["object"] == "training.log"
        assert (await get(f"/jobs/{job['id']}/events"))["data"][-1]["message"].endswith("drawn@1")
        version = await get("/versions/drawn")
        assert version["figures"][0]["before"] > version["figures"][0]["after"]
        assert {"line.json", "README.md"} <= {each["name"] for each in version["files"]}
        assert [each["id"] for each in (await get("/versions"))["data"]] == ["drawn@1"]
        assert (await get("/versions/drawn@1/lineage"))["job"] == job["id"]
        assert (await get("/made-of/ans_none"))["data"] == []
        card = await world.call(key, "GET", "/v1/training/versions/drawn/card")
        assert card.text.startswith("# drawn@1\n")
        refused = await world.call(key, "POST", "/v1/training/versions/drawn/serve")
        assert refused.status_code == 400
        assert "answers under no name" in refused.text
        gone = await world.call(key, "DELETE", "/v1/training/versions/drawn@1")
        assert gone.json()["deleted"] is True
        assert (await world.call(key, "GET", "/v1/training/versions/drawn")).status_code == 404
        assert (await world.call(key, "DELETE", f"/v1/training/jobs/{job['id']}")).json()["deleted"] is True
        wrong = await uploaded(client, [{"x": 1}, 3])
        answer = await world.call(key, "POST", "/v1/training/jobs", {**body, "training_file": wrong})
        assert answer.json()["error"]["param"] == "training_file:2"


async def test_a_job_is_made_once_under_a_key_though_its_server_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr("mainspring.stores.cache.idempotency.LEASE_S", 0.0)
    async with served(tmp_path, monkeypatch) as world:
        key = world.keys["red"]
        client = client_of(world, key)
        drawn, talk = await uploaded(client, points()), await uploaded(client, TALK)
        for path, body in (
            ("/v1/training/jobs", {"recipe": "line", "training_file": drawn}),
            ("/v1/fine_tuning/jobs", {"model": "tiny", "training_file": talk}),
        ):
            before = {each["id"] for each in (await world.call(key, "GET", path)).json()["data"]}

            async def order(path: str = path, body: dict[str, Any] = body) -> Any:
                answer = await world.call(key, "POST", path, body, headers={"idempotency-key": "once"})
                assert answer.status_code < 300, answer.text
                return answer

            with monkeypatch.context() as dying:
                # Its answer was not kept.
                dying.setattr("mainspring.http.idempotency._end", nothing)
                first = await order()
            again = await order()
            assert again.headers["idempotent-replayed"] == "true"
            assert again.json()["id"] == first.json()["id"]
            after = {each["id"] for each in (await world.call(key, "GET", path)).json()["data"]}
            assert after - before == {first.json()["id"]}
            await over(client, first.json()["id"])
