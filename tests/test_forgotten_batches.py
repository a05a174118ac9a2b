"""What a batch answered: gone from its files with the document that it was made of, and seen by nobody whom that
document is closed to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.features.batches.routes import working
from mainspring.stores.sql import ids
from mainspring.stores.work.batches import KIND, without
from tests.stores.decode import holding
from tests.test_forgotten import scripted
from tests.world import EVERYONE, Doc, Key, World, opened

__all__ = ["scripted"]
CHAT = "/v1/chat/completions"


async def submit(world: World, key: Key, docs: list[Doc]) -> str:
    """A batch with a question about each of ``docs``; its id."""
    lines = [
        {
            "custom_id": doc.topic,
            "method": "POST",
            "url": CHAT,
            "body": {
                "model": "document-qa",
                "messages": [{"role": "user", "content": f"What do we know about {doc.topic}?"}],
                "options": {"collections": [doc.store]},
            },
        }
        for doc in docs
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    files = {"file": ("in.jsonl", data), "purpose": (None, "batch")}
    uploaded = (await world.call(key, "POST", "/v1/files", files=files)).json()["id"]
    body = {"input_file_id": uploaded, "endpoint": CHAT, "completion_window": "24h"}
    return str((await world.call(key, "POST", "/v1/batches", body)).json()["id"])


async def output(world: World, key: Key, batch_id: str) -> str:
    """The id of the file of answers, once the batch is over."""
    async with asyncio.timeout(30):
        while True:
            batch = (await world.call(key, "GET", f"/v1/batches/{batch_id}")).json()
            if batch["status"] in ("completed", "failed"):
                return str(batch["output_file_id"])
            await asyncio.sleep(0.02)


async def answers(world: World, key: Key, file_id: str) -> dict[str, Any]:
    answer = await world.call(key, "GET", f"/v1/files/{file_id}/content")
    size = (await world.call(key, "GET", f"/v1/files/{file_id}")).json()["bytes"]
    assert size == len(answer.content)
    return {each["custom_id"]: each for each in map(json.loads, answer.text.strip().split("\n"))}


def said(line: dict[str, Any]) -> str:
    return str(line["response"]["body"]["choices"][0]["message"]["content"])


async def test_an_answer_leaves_its_batch_with_its_document(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as world:
        both = world.keys["both"]
        store = await world.store(both, "all")
        kept, deleted = [await world.add(both, store, EVERYONE) for _ in range(2)]
        async with working(world.system.rooms):
            file_id = await output(world, both, await submit(world, both, [kept, deleted]))
        before = await answers(world, both, file_id)
        assert deleted.mark in said(before[deleted.topic])

        await world.call(both, "DELETE", f"/v1/files/{deleted.file_id}")
        await world.round()
        after = await answers(world, both, file_id)
        assert after[kept.topic] == before[kept.topic]
        assert kept.mark in said(after[kept.topic])
        assert after[deleted.topic]["response"] is None
        assert after[deleted.topic]["error"]["code"] == "erased"
        assert holding(tmp_path / "home", kept.mark)
        assert not holding(tmp_path / "home", deleted.mark)
        # The second look finds nothing left to do.
        world.system.library.forgetter._again_s = 0
        await world.round()
        assert await answers(world, both, file_id) == after


async def test_an_answer_that_waits_for_the_others_of_its_batch_goes_too(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as world:
        both, stores = world.keys["both"], world.system.stores
        store = await world.store(both, "all")
        kept, deleted = [await world.add(both, store, EVERYONE) for _ in range(2)]
        batch_id = await submit(world, both, [kept, deleted])
        job = await stores.jobs.lease(KIND, ids.new("w_"), 60.0)
        assert job is not None
        assert await stores.batches.begin(job, 2)
        for number, doc in enumerate((kept, deleted), 1):
            body = (await world.chat(both, doc)).json()
            line = {"id": doc.topic, "custom_id": doc.topic, "response": {"body": body}, "error": None}
            assert await stores.batches.record(job, number, json.dumps(line), succeeded=True)
        await world.call(both, "DELETE", f"/v1/files/{deleted.file_id}")
        await world.round()
        assert not holding(tmp_path / "home", deleted.mark)
        assert await stores.batches.finish(job, "completed")
        found = await answers(world, both, await output(world, both, batch_id))
        assert kept.mark in said(found[kept.topic])
        assert found[deleted.topic]["error"]["code"] == "erased"


async def test_answers_are_for_those_who_are_in_all_groups_of_the_asker(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as world:
        red, blue, both, stranger = world.keys.values()
        store = await world.store(blue, "blues", blue.groups)
        doc = await world.add(blue, store, blue.groups)
        async with working(world.system.rooms):
            file_id = await output(world, both, await submit(world, both, [doc]))
        assert doc.mark in said((await answers(world, both, file_id))[doc.topic])
        for key in (red, blue, stranger):
            for path in (f"/v1/files/{file_id}/content", f"/v1/files/{file_id}"):
                assert (await world.call(key, "GET", path)).status_code == 404, key.name
            assert file_id not in (await world.call(key, "GET", "/v1/files?limit=100")).text


@pytest.mark.parametrize(
    "line",
    [
        '{"response": {"body": {"id": "other", "text": "it names ans_1"}}, "error": null}',
        '{"response": null, "error": {"code": "batch_expired", "message": "ans_1"}}',
        '{"response": {"status_code": 200, "body": null}, "error": null, "custom_id": "ans_1"}',
    ],
)
def test_a_line_that_only_names_an_answer_stays(line: str) -> None:
    assert without(line, {"ans_1"}) == line
