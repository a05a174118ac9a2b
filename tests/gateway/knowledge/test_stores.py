"""Vector stores as OpenAI's client uses them: names, expiry, sizes of chunks, batches of files, search."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import openai
import pytest
import sqlalchemy as sa

import tests.world as worlds
from mainspring.rag.ingest import intake
from mainspring.stores.documents import collections as collection_rows
from mainspring.stores.schema import collections, files
from tests.gateway.knowledge.clients import client_for, client_of, until

WORDS = " ".join(f"Report number {number} was read by all of them." for number in range(300))
DAY = 86_400


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


async def upload(client: Any, name: str, text: str) -> str:
    found = await client.files.create(file=(name, text.encode()), purpose="assistants")
    return str(found.id)


async def test_a_store_needs_no_name_and_takes_any(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        first, second = await client.vector_stores.create(), await client.vector_stores.create()
        assert first.name != second.name
        assert first.name.startswith("unnamed-")
        named = await client.vector_stores.create(name="FAQ für Käufer (v2): 2026", extra_body={"file_ids": None})
        assert (await client.vector_stores.retrieve(named.name)).id == named.id
        for wrong in ("", " a", "a/b", "vs_x", "a\nb"):
            with pytest.raises(openai.BadRequestError):
                await client.vector_stores.create(name=wrong)


async def test_a_store_may_name_the_embedding_model_of_the_server(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        embedder = world.system.library.search.embedder
        own = {"embedding_model": embedder.name, "embedding_dimension": embedder.dimensions}
        made = await client.vector_stores.with_raw_response.create(extra_body=own | {"provider_id": "here"})
        assert made.headers["x-mainspring-ignored"] == "provider_id"
        for field, other in (("embedding_model", "another"), ("embedding_dimension", embedder.dimensions + 1)):
            with pytest.raises(openai.BadRequestError, match=f"the {field} of all vector stores here is") as refused:
                await client.vector_stores.create(extra_body=own | {field: other})
            assert refused.value.param == field


async def test_a_store_expires_after_it_was_last_active(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_rows, "_TOUCHED_S", 0.0)
    async with client_of(tmp_path / "home") as (client, world):
        kept = {"anchor": "last_active_at", "days": 3}
        store = await client.vector_stores.create(name="brief", expires_after=kept)
        assert (store.expires_after.days, store.expires_at) == (3, store.last_active_at + 3 * DAY)
        file_id = await upload(client, "a.txt", "The fee is seven marks.")
        await client.vector_stores.files.create(store.id, file_id=file_id)
        await until(lambda: client.vector_stores.files.retrieve(file_id, vector_store_id=store.id))

        async def active(seconds_ago: float) -> None:
            aged = sa.update(collections).values(active_at=time.time() - seconds_ago)
            await world.system.stores.database.write(lambda connection: connection.execute(aged))

        await active(3 * DAY - 60)
        assert (await client.vector_stores.search(store.id, query="fee")).data
        again = await client.vector_stores.retrieve(store.id)
        assert again.last_active_at >= store.last_active_at, "a search is activity"
        await active(3 * DAY + 1)
        with pytest.raises(openai.NotFoundError):
            await client.vector_stores.search(store.id, query="fee")
        assert not (await client.vector_stores.list()).data
        assert await world.system.library.expiry.round() == 1
        assert not await world.system.stores.collections.expired()
        assert (await client.files.retrieve(file_id)).id == file_id
        assert (await client.vector_stores.create(name="brief")).id != store.id


async def test_an_expiry_is_changed_and_taken_away(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        store = await client.vector_stores.create(name="brief")
        assert store.expires_at is None
        expiry = {"anchor": "last_active_at", "days": 1}
        assert (await client.vector_stores.update(store.id, expires_after=expiry)).expires_after.days == 1
        assert (await client.vector_stores.update(store.id, name="other")).expires_after.days == 1
        assert (await client.vector_stores.update(store.id, expires_after=None)).expires_after is None
        for wrong in ({"anchor": "created_at", "days": 1}, {"anchor": "last_active_at", "days": 0}):
            with pytest.raises(openai.BadRequestError):
                await client.vector_stores.create(expires_after=wrong)


async def test_a_file_is_cut_by_its_own_sizes(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        store = await client.vector_stores.create(name="cut")
        sizes = {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}
        chunks = {}
        for name, strategy in (
            ("auto", {"type": "auto"}),
            ("static", {"type": "static", "static": sizes}),
            ("none", {"type": "static", "static": {**sizes, "chunk_overlap_tokens": 0}}),
        ):
            file_id = await upload(client, f"{name}.txt", WORDS)
            await client.vector_stores.files.create(store.id, file_id=file_id, chunking_strategy=strategy)
            done = await until(lambda it=file_id: client.vector_stores.files.retrieve(it, vector_store_id=store.id))
            assert done.chunking_strategy.type == "static"
            if name == "static":
                assert done.chunking_strategy.static.to_dict() == sizes
            path = f"/v1/vector_stores/{store.id}/files/{file_id}/chunks?limit=500"
            chunks[name] = (await world.call(world.keys["red"], "GET", path)).json()["data"]
        count = worlds.Pieces().count_tokens
        assert max(count([each["text"] for each in chunks["static"]])) <= 100
        assert max(count([each["text"] for each in chunks["auto"]])) > 100

        def shared(found: list[Any]) -> int:
            return sum(max(0, one["end"] - two["start"]) for one, two in pairwise(found))

        assert shared(chunks["static"]) > shared(chunks["none"]) == 0
        # Reading it again keeps its own sizes.
        again = await client.vector_stores.files.create(store.id, file_id=file_id)
        assert again.chunking_strategy.static.chunk_overlap_tokens == 0
        wrong: Any = {"type": "static", "static": {**sizes, "chunk_overlap_tokens": 51}}
        with pytest.raises(openai.BadRequestError) as refused:
            await client.vector_stores.files.create(store.id, file_id=file_id, chunking_strategy=wrong)
        assert refused.value.param == "chunking_strategy.static.chunk_overlap_tokens"


async def test_many_files_are_attached_at_once(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        store = await client.vector_stores.create(name="many")
        ids = [await upload(client, f"{number}.txt", f"Number {number} is prime.") for number in range(5)]
        batches = client.vector_stores.file_batches
        writes = world.system.stores.database.write
        commits = 0

        async def counted(*given: Any, **more: Any) -> Any:
            nonlocal commits
            commits += 1
            return await writes(*given, **more)

        world.system.stores.database.write = counted  # type: ignore[method-assign]
        batch = await batches.create(store.id, file_ids=[*ids, "file-none"], attributes={"kind": "note"})
        assert commits <= 2, "one commit for all of them, and the note of activity"
        assert (batch.object, batch.vector_store_id, batch.file_counts.total) == (
            "vector_store.files_batch",
            store.id,
            6,
        )
        done = await until(lambda: batches.retrieve(batch.id, vector_store_id=store.id))
        assert (done.status, done.file_counts.completed, done.file_counts.failed) == ("completed", 5, 1)
        listed = [each async for each in batches.list_files(batch.id, vector_store_id=store.id, limit=2, order="asc")]
        assert [each.id for each in listed] == [*ids, "file-none"]
        assert listed[0].attributes == {"kind": "note"}
        failed = await batches.list_files(batch.id, vector_store_id=store.id, filter="failed")
        assert [(each.id, each.last_error.code) for each in failed.data] == [("file-none", "invalid_file")]
        counts = (await client.vector_stores.retrieve(store.id)).file_counts
        assert (counts.completed, counts.total) == (5, 5)
        with pytest.raises(openai.NotFoundError):
            await batches.retrieve("vsfb_none", vector_store_id=store.id)
        with pytest.raises(openai.NotFoundError):
            await client_for(world, "stranger").vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id)


async def test_each_file_of_a_batch_may_have_its_own_attributes_and_sizes(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        store = await client.vector_stores.create(name="own")
        ids = [await upload(client, f"{number}.txt", f"Number {number} is prime.") for number in range(2)]
        sizes = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 10}
        wanted: Any = [
            {"file_id": ids[0], "attributes": {"n": 0}},
            {"file_id": ids[1], "chunking_strategy": {"type": "static", "static": sizes}},
        ]
        batch = await client.vector_stores.file_batches.create(store.id, files=wanted)
        await until(lambda: client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id))
        one, two = [await client.vector_stores.files.retrieve(each, vector_store_id=store.id) for each in ids]
        assert (one.attributes, two.chunking_strategy.static.to_dict()) == ({"n": 0}, sizes)
        for wrong in ({}, {"file_ids": ids, "files": wanted}, {"files": wanted, "attributes": {"n": 1}}):
            with pytest.raises(openai.BadRequestError):
                await client.vector_stores.file_batches.create(store.id, **wrong)


async def test_a_batch_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(intake.Intake, "_begin", never)
    async with client_of(tmp_path / "home") as (client, world):
        store = await client.vector_stores.create(name="stopped")
        ids = [await upload(client, f"{number}.txt", f"Number {number} is prime.") for number in range(3)]
        batch = await client.vector_stores.file_batches.create(store.id, file_ids=ids)
        assert batch.status == "in_progress"
        gone = await client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
        assert (gone.status, gone.file_counts.cancelled) == ("cancelled", 3)
        assert not await world.system.stores.collections.unfinished()
        assert (await client.vector_stores.retrieve(store.id)).file_counts.cancelled == 3


async def test_the_helpers_of_the_client_wait_for_a_batch(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        store = await client.vector_stores.create(name="helped")
        done = await client.vector_stores.file_batches.upload_and_poll(
            store.id,
            files=[("a.txt", b"The fee is seven marks."), ("b.txt", b"The fee is due in May.")],
            poll_interval_ms=20,
        )
        assert (done.status, done.file_counts.completed) == ("completed", 2)
        one = await client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=("c.txt", b"Nobody pays twice."), poll_interval_ms=20
        )
        assert one.status == "completed"
        page = await client.vector_stores.files.content(one.id, vector_store_id=store.id)
        assert [each.text async for each in page] == ["Nobody pays twice."]


async def test_filters_and_ranking_options_of_a_search(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        store = await client.vector_stores.create(name="found")
        wanted: Any = []
        for topic, level in (("ai", 1), ("law", 2), ("art", 3)):
            file_id = await upload(client, f"{topic}.txt", f"A report about {topic} for everybody.")
            wanted.append({"file_id": file_id, "attributes": {"topic": topic, "level": level, "open": level < 3}})
        batch = await client.vector_stores.file_batches.create(store.id, files=wanted)
        await until(lambda: client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id))

        async def topics(filters: Any, **more: Any) -> set[str]:
            found = await client.vector_stores.search(store.id, query="report", filters=filters, **more)
            assert all(None not in each.attributes.values() for each in found.data)
            return {each.attributes["topic"] for each in found.data}

        one = {"type": "eq", "key": "topic", "value": "ai"}
        assert await topics(one) == {"ai"}
        assert await topics({"type": "lte", "key": "level", "value": 2}) == {"ai", "law"}
        assert await topics({"type": "in", "key": "topic", "value": ["law", "art"]}) == {"law", "art"}
        either = {"type": "or", "filters": [one, {"type": "eq", "key": "open", "value": False}]}
        assert await topics(either, ranking_options={"ranker": "none", "score_threshold": 0.0}) == {"ai", "art"}
        assert await topics(one, ranking_options={"ranker": "default-2024-11-15"}, rewrite_query=True) == {"ai"}


async def test_files_have_one_of_the_known_purposes_and_expire(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        kept: Any = {"anchor": "created_at", "seconds": 3600}
        made = await client.files.create(file=("a.txt", b"one"), purpose="user_data", expires_after=kept)
        assert made.expires_at == made.created_at + 3600
        other = await client.files.create(file=("b.txt", b"two"), purpose="assistants")
        assert other.expires_at is None
        assert [each.id async for each in client.files.list(purpose="user_data")] == [made.id]
        assert [each.id async for each in client.files.list(order="asc", limit=1000)] == [made.id, other.id]
        with pytest.raises(openai.BadRequestError) as refused:
            await client.files.create(file=("c.txt", b"three"), purpose="assistant")
        assert (refused.value.param, "assistants" in refused.value.message) == ("purpose", True)
        with pytest.raises(openai.BadRequestError):
            await client.files.create(file=("c.txt", b"x"), purpose="evals", expires_after={**kept, "seconds": 10})
        store = await client.vector_stores.create(name="s", file_ids=[made.id])
        past = sa.update(files).where(files.c.id == made.id).values(expires_at=time.time() - 1)
        await world.system.stores.database.write(lambda connection: connection.execute(past))
        with pytest.raises(openai.NotFoundError):
            await client.files.retrieve(made.id)
        assert await world.system.library.expiry.round() == 1
        assert (await client.vector_stores.retrieve(store.id)).file_counts.total == 0
        assert (await client.files.content(other.id)).content == b"two"
