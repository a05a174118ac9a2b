"""What is begun under an Idempotency-Key is begun once, though the server dies before it has answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from mainspring.features.background.service import Background
from mainspring.features.content.store.articles import Articles
from mainspring.http import idempotency
from mainspring.http.request_body import ONCE
from mainspring.rag.attaching import Attacher
from mainspring.stores.cache import idempotency as repeats_store
from tests.gateway.test_structure import everything
from tests.surfaces import ANSWERS, MAKES_MORE, MAKES_NOTHING, SAME_TWICE, merged
from tests.world import World, echoing, opened, use_engines

__all__ = ["everything"]


class Died(BaseException):
    """kill -9."""


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, echoing("small"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path / "home") as made:
        yield made


Dying = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Dying:
    """Within the block a server dies before it keeps its answer. Its claims end at once."""

    async def nothing(*_: object) -> None:
        return None

    @contextmanager
    def block() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(idempotency, "_end", nothing)
            yield

    monkeypatch.setattr(repeats_store, "LEASE_S", 0.0)
    return block


async def made(world: World, path: str, body: Any = None, **more: Any) -> Any:
    answer = await world.call(world.keys["both"], "POST", path, body, **more)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def uploaded(world: World, name: str, data: bytes, purpose: str) -> str:
    files = {"file": (name, data), "purpose": (None, purpose)}
    return str((await made(world, "/v1/files", files=files))["id"])


async def answered(world: World) -> str:
    said = [{"role": "user", "content": "Hello"}]
    body = {"model": "small", "messages": said}
    answer = await world.call(world.keys["both"], "POST", "/v1/chat/completions", body)
    return answer.headers["x-answer-id"]


async def a_file(_: World) -> Any:
    return {"files": {"file": ("a.txt", b"Some text."), "purpose": (None, "assistants")}}


async def a_store(world: World) -> Any:
    return {"name": "shelf", "file_ids": [await uploaded(world, "a.txt", b"Some text.", "assistants")]}


async def a_budget(_: World) -> Any:
    return {"limit_usd": 5, "window": "day"}


async def a_rating(world: World) -> Any:
    return {"answer_id": await answered(world), "rating": "up"}


async def an_outcome(world: World) -> Any:
    return {"answer_id": await answered(world), "metric": "sold", "value": 1}


async def a_response(_: World) -> Any:
    return {"model": "small", "input": "Hello", "background": True}


async def an_export(_: World) -> Any:
    return {"kind": "sft"}


async def an_article(_: World) -> Any:
    return {"topic": "Bicycles"}


async def data_set(world: World) -> str:
    rows = [{"id": f"q{n}", "messages": [{"role": "user", "content": f"Question {n}?"}]} for n in range(3)]
    body = {"examples": [{**each, "references": ["Yes"]} for each in rows]}
    await made(world, "/v1/datasets/asked/versions", body)
    return "asked"


async def an_advice(world: World) -> Any:
    return {"dataset": await data_set(world), "model": "small", "ways": ["prompt"], "scorer": {"name": "exact"}}


async def an_experiment(world: World) -> Any:
    body = {"dataset": await data_set(world), "responders": [{"model": "small"}]}
    return {**body, "scorers": [{"name": "exact"}]}


async def an_upload(_: World) -> Any:
    return {"filename": "a.txt", "purpose": "assistants", "bytes": 10, "mime_type": "text/plain"}


async def an_import(world: World) -> Any:
    return {"source": "langfuse", "file_id": await uploaded(world, "t.jsonl", b"{}\n", "user_data"), "consent": True}


async def replays(world: World) -> Any:
    await answered(world)
    return {"filter": {"limit": 1}, "model": "small"}


async def a_run(_: World) -> Any:
    return {"agent": "content", "input": "Bicycles", "background": True}


async def a_batch(world: World) -> Any:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": "words", "input": "a"}}
    file = await uploaded(world, "b.jsonl", json.dumps(line).encode(), "batch")
    return {"input_file_id": file, "endpoint": "/v1/embeddings", "completion_window": "24h"}


async def a_message_batch(_: World) -> Any:
    asked = {"model": "small", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    return {"requests": [{"custom_id": "a", "params": asked}]}


async def a_conversation(_: World) -> Any:
    return {"items": [{"type": "message", "role": "user", "content": "Hello"}]}


async def an_eval(_: World) -> Any:
    schema = {"type": "object", "properties": {"asked": {"type": "string"}}}
    grader = {"type": "string_check", "name": "same", "input": "{{item.asked}}", "reference": "a", "operation": "eq"}
    return {"data_source_config": {"type": "custom", "item_schema": schema}, "testing_criteria": [grader]}


async def a_run_of_an_eval(world: World) -> Any:
    of = (await made(world, "/v1/evals", await an_eval(world)))["id"]
    content = {"type": "file_content", "content": [{"item": {"asked": "a"}}]}
    return {"path": f"/v1/evals/{of}/runs", "data_source": {"type": "jsonl", "source": content}}


async def a_notebook(world: World) -> Any:
    # The store may be there from the body before.
    await world.call(world.keys["both"], "POST", "/v1/vector_stores", {"name": "shelf"})
    return {"name": "Notes", "collection": "shelf"}


async def a_batch_of_files(world: World) -> Any:
    await world.call(world.keys["both"], "POST", "/v1/vector_stores", {"name": "shelf"})
    file = await uploaded(world, "b.txt", b"Other text.", "assistants")
    return {"path": "/v1/vector_stores/shelf/file_batches", "file_ids": [file]}


async def a_fork(world: World) -> Any:
    run = await made(world, "/v1/agents/runs", await a_run(world))
    return {"path": f"/v1/agents/runs/{run['id']}/fork"}


BODIES: dict[str, Callable[[World], Awaitable[Any]]] = {
    "/v1/files": a_file,
    "/v1/vector_stores": a_store,
    "/v1/budgets": a_budget,
    "/v1/feedback": a_rating,
    "/v1/outcomes": an_outcome,
    "/v1/responses": a_response,
    "/v1/lake/exports": an_export,
    "/v1/content/articles": an_article,
    "/v1/advice": an_advice,
    "/v1/experiments": an_experiment,
    "/v1/uploads": an_upload,
    "/v1/imports": an_import,
    "/v1/replays": replays,
    "/v1/agents/runs": a_run,
    "/v1/batches": a_batch,
    "/v1/messages/batches": a_message_batch,
    "/v1/conversations": a_conversation,
    "/v1/evals": an_eval,
    "/v1/evals/{eval_id}/runs": a_run_of_an_eval,
    "/v1/content/notebooks": a_notebook,
    "/v1/vector_stores/{store_id}/file_batches": a_batch_of_files,
    "/v1/agents/runs/{run_id}/fork": a_fork,
}
"""Each route under whose keys something is created once, with a body for it."""
# Each other route that takes a key, and why it creates nothing twice: under a key answers are kept, too.
OTHERWISE = {
    **dict.fromkeys(("/v1/chat/completions", "/v1/completions", "/v1/messages"), ANSWERS),
    "/v1/prompts/{name}/versions": SAME_TWICE,
    "/v1/review/queues/{queue}/items/{item_id}/label": "who has labelled an item holds it no more",
    "/v1/sessions/{session_id}/fork": "a session of that name is there, and a second one is refused",
    "/v1/desk/cases": "the key is a column of the case (tests/features/desk)",
    "/v1/training/jobs": "tests/features/train/test_routes.py",
    "/v1/fine_tuning/jobs": "tests/features/train/test_routes.py",
}
UNKEYED_OF_THE_GATEWAY = {
    "/v1/embeddings": MAKES_NOTHING,
    "/v1/rerank": MAKES_NOTHING,
    "/v2/rerank": MAKES_NOTHING,
    "/rerank": MAKES_NOTHING,
    "/v1/responses/input_tokens": MAKES_NOTHING,
    "/v1/responses/compact": ANSWERS,
    "/v1/responses/{response_id}/cancel": SAME_TWICE,
    "/v1/messages/count_tokens": MAKES_NOTHING,
    "/v1/vector_stores/{store_id}": SAME_TWICE,
    "/v1/vector_stores/{store_id}/files": SAME_TWICE,
    "/v1/vector_stores/{store_id}/files/{file_id}": SAME_TWICE,
    "/v1/vector_stores/{store_id}/files/{file_id}/release": SAME_TWICE,
    "/v1/vector_stores/{store_id}/files/{file_id}/scan": SAME_TWICE,
    "/v1/vector_stores/{store_id}/file_batches/{batch_id}/cancel": SAME_TWICE,
    "/v1/vector_stores/{store_id}/sources/{source_id}/sync": SAME_TWICE,
    "/v1/vector_stores/{store_id}/search": MAKES_NOTHING,
    "/v1/vector_stores/{store_id}/similar": MAKES_NOTHING,
    "/v1/vector_stores/{store_id}/recommendations": MAKES_NOTHING,
    "/v1/moderations": MAKES_NOTHING,
    "/v1/budgets/{budget_id}": SAME_TWICE,
    "/v1/keys": MAKES_MORE,
    "/v1/keys/{key_id}/rotate": MAKES_MORE,
    "/v1/limits/tenants/{tenant}": SAME_TWICE,
    "/v1/replicas/drain": SAME_TWICE,
    "/v1/replicas/undrain": SAME_TWICE,
}


def test_every_route_that_begins_something_takes_a_key_or_says_why_not(everything: list[APIRoute]) -> None:
    posts = [each for each in everything if "POST" in (each.methods or ())]
    keyed = {each.path for each in posts if ONCE in {param.alias for param in each.dependant.header_params}}
    assert keyed == {*BODIES, *OTHERWISE}
    assert {each.path for each in posts} - keyed == set(merged(UNKEYED_OF_THE_GATEWAY, "unkeyed"))


async def test_a_key_that_is_not_honoured_is_named(world: World) -> None:
    silence = {"seconds": 60}
    key, headers = world.keys["both"], {"idempotency-key": "once"}
    _, key.secret = await world.system.stores.keys.create(
        "operator", tenant="default", scopes=frozenset({"admin", "operate"}), groups=key.groups
    )
    answer = await world.call(key, "POST", "/v1/silences", silence, headers=headers)
    assert (answer.status_code, answer.headers["x-mainspring-ignored"]) == (201, "idempotency-key")
    assert "x-mainspring-ignored" not in (await world.call(key, "POST", "/v1/silences", silence)).headers
    assert "x-mainspring-ignored" not in (await world.call(key, "GET", "/v1/silences", headers=headers)).headers


SINGLE = ("/v1/vector_stores", "/v1/budgets")


async def sent(world: World, path: str, body: Any, key: str = "once") -> httpx.Response:
    body = dict(body)
    path = body.pop("path", path)
    more = body if "files" in body else {"body": body}
    return await world.call(world.keys["both"], "POST", path, headers={"idempotency-key": key}, **more)


async def listed(world: World, path: str) -> list[str]:
    found = await world.call(world.keys["both"], "GET", path)
    return [each["id"] for each in found.json()["data"]]


async def test_it_is_found_by_the_server_that_is_asked_again(world: World, dying: Dying) -> None:
    for path, body_of in BODIES.items():
        body = await body_of(world)
        with dying():
            first = await sent(world, path, body)
            assert first.status_code < 300, (path, first.text)
        second, third = await sent(world, path, body), await sent(world, path, body)
        for again in (second, third):
            assert (again.status_code, again.headers.get("idempotent-replayed")) == (first.status_code, "true"), path
            assert again.json()["id"] == first.json()["id"], path
        # Another key begins another one, unless there can be no second of its kind.
        if path not in SINGLE:
            assert (await sent(world, path, body, "other")).json()["id"] != first.json()["id"], path


async def test_another_request_under_the_key_is_a_conflict_as_it_is_behind_an_answer(
    world: World, dying: Dying
) -> None:
    with dying():
        first = await sent(world, "/v1/agents/runs", await a_run(world))
    again = await sent(world, "/v1/agents/runs", {"agent": "content", "input": "Cars", "background": True})
    assert (first.status_code, again.status_code) == (200, 409)


async def test_what_was_refused_before_its_server_died_may_be_asked_in_other_words(world: World, dying: Dying) -> None:
    with dying():
        assert (await sent(world, "/v1/agents/runs", {"agent": "nobody", "input": "x"})).status_code == 404
    assert (await sent(world, "/v1/agents/runs", await a_run(world))).status_code == 200
    assert (await sent(world, "/v1/agents/runs", {"agent": "nobody", "input": "x"})).status_code == 409


async def test_an_article_whose_run_had_not_begun_is_begun_and_is_one(
    world: World, dying: Dying, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object, **__: object) -> None:
        raise Died

    # The run is queued, and the article does not know of it.
    with dying(), monkeypatch.context() as patch:
        patch.setattr(Articles, "change", dies)
        with pytest.raises(Died):
            await sent(world, "/v1/content/articles", {"topic": "Bicycles"})
    article = (await sent(world, "/v1/content/articles", {"topic": "Bicycles"})).json()
    assert await listed(world, "/v1/content/articles") == [article["id"]]
    runs = await world.call(world.keys["both"], "GET", "/v1/agents/runs")
    assert [each["metadata"]["article"] for each in runs.json()["data"]] == [article["id"]]


async def test_a_vector_store_gets_the_files_that_its_server_did_not_attach(
    world: World, dying: Dying, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object, **__: object) -> None:
        raise Died

    body = await a_store(world)
    with dying(), monkeypatch.context() as patch:
        patch.setattr(Attacher, "attach", dies)
        patch.setattr("mainspring.rag.library.Library.delete", dies)
        with pytest.raises(Died):
            await sent(world, "/v1/vector_stores", body)
    store = (await sent(world, "/v1/vector_stores", body)).json()
    assert store["file_counts"]["total"] == 1
    assert await listed(world, "/v1/vector_stores") == [store["id"]]


async def test_a_response_whose_process_is_dead_is_made_again(
    world: World, dying: Dying, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        return None

    with dying(), monkeypatch.context() as patch:
        # It is asked for, and its process dies before it does anything.
        patch.setattr(Background, "_make", never)
        patch.setattr(Background, "_later", never)
        first = (await sent(world, "/v1/responses", await a_response(world))).json()
    service = world.system.services[Background]
    service._runs.clear()
    monkeypatch.setattr("mainspring.features.background.store.BEAT_S", -1.0)
    again = (await sent(world, "/v1/responses", await a_response(world))).json()
    assert again["id"] == first["id"]
    async with asyncio.timeout(30):
        while True:
            found = await world.call(world.keys["both"], "GET", f"/v1/responses/{again['id']}")
            if found.json()["status"] == "completed":
                break
            await asyncio.sleep(0.02)
