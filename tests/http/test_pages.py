"""Lists, vector stores and repeated requests, through the official client where it has the noun."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from mainspring.core.types import Finish, Text
from tests.cli.command import data
from tests.conftest import Server
from tests.gateway.asgi import ask, gateway
from tests.http.test_access import run
from tests.serving.house import Recited

LISTS = ("/v1/files", "/v1/vector_stores", "/v1/events")


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    """The admin key of a tenant in which nothing else is."""
    made = data(run(server, "keys", "create", "lists", "--tenant", "lists", "--scope", "admin", "--json"))
    return str(made["secret"])


@pytest.fixture(scope="module")
def client(server: Server, key: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def files(client: Any) -> list[str]:
    """Five files, in the order of their uploading."""
    return [client.files.create(file=(f"{n}.md", b"# N\n\nA.\n"), purpose="assistants").id for n in range(5)]


def test_the_client_walks_all_pages_of_files(client: Any, files: list[str]) -> None:
    assert [file.id for file in client.files.list(limit=2)] == files[::-1]
    assert [file.id for file in client.files.list(limit=2, order="asc")] == files
    page = client.files.list(limit=2, after=files[3])
    assert ([file.id for file in page.data], page.has_more) == ([files[2], files[1]], True)
    assert client.files.list(purpose="batch").data == []


def test_the_client_walks_all_pages_of_stores_and_their_files(client: Any, files: list[str]) -> None:
    stores = [client.vector_stores.create(name=f"paged-{n}", file_ids=files if n == 0 else []).id for n in range(3)]
    assert [store.id for store in client.vector_stores.list(limit=1, order="asc")] == stores
    assert [file.id for file in client.vector_stores.files.list(stores[0], limit=2)] == files[::-1]
    page = client.vector_stores.files.list(stores[0], before=files[1], limit=2)
    assert ([file.id for file in page.data], page.has_more) == ([files[3], files[2]], True)
    counts = {store.id: store.file_counts.total for store in client.vector_stores.list()}
    assert counts == dict(zip(stores, (5, 0, 0), strict=True))
    _finished(client, stores[0], files[0])
    with pytest.raises(openai.BadRequestError) as refused:
        client.vector_stores.files.list(stores[0], after="file-elsewhere")
    assert refused.value.param == "after"
    for store in stores:
        client.vector_stores.delete(store)


def test_who_deletes_while_walking_reaches_the_end(client: Any) -> None:
    made = {client.files.create(file=(f"x{n}.md", b"x"), purpose="user_data").id for n in range(5)}
    walked = set()
    for file in client.files.list(limit=2, purpose="user_data"):
        walked.add(file.id)
        client.files.delete(file.id)
    assert walked == made


def test_events_are_paged(server: Server, key: str, client: Any) -> None:
    for n in range(3):
        client.embeddings.create(model="all-minilm-l6-v2", input=f"number {n}")
    whole = server.call("GET", "/v1/events?limit=100", key=key)[1]
    ids = [event["id"] for event in whole["data"]]
    assert len(ids) >= 3
    assert not whole["has_more"]
    walked: list[str] = []
    page: dict[str, Any] = {"has_more": True, "last_id": None}
    while page["has_more"]:
        after = f"&after={page['last_id']}" if page["last_id"] else ""
        page = server.call("GET", f"/v1/events?limit=2{after}", key=key)[1]
        walked += [event["id"] for event in page["data"]]
    assert walked == ids
    assert [event["id"] for event in server.call("GET", "/v1/events?order=asc", key=key)[1]["data"]] == ids[::-1][:20]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "param", "said"),
    [
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=10001", "limit", "less than or equal to 100"),
        ("limit=few", "limit", "integer"),
        ("order=up", "order", "'asc' or 'desc'"),
        ("after=nothing", "after", "not an ID from this list"),
        ("before=nothing", "before", "not an ID from this list"),
        ("limt=5", "limt", "Did you mean limit?"),
        ("page=2", "page", "limit"),
    ],
)
def test_what_is_wrong_with_a_page_is_named(server: Server, path: str, query: str, param: str, said: str) -> None:
    status, answer = server.call("GET", f"{path}?{query}")
    assert (status, answer["error"]["param"]) == (400, param)
    assert said in answer["error"]["message"]


def test_routes_that_take_no_parameters_refuse_them(server: Server) -> None:
    for path in ("/v1/models/none?limit=5", "/v1/files/file-x?verbose=1"):
        status, answer = server.call("GET", path)
        assert (status, answer["error"]["code"]) == (400, "invalid_request")
        assert "It takes none" in answer["error"]["message"]


def test_models_say_when_they_came(client: Any) -> None:
    before = {model.id: model.created for model in client.models.list()}
    store = client.vector_stores.create(name="dated")
    time.sleep(1.1)
    after = {model.id: model.created for model in client.models.list()}
    assert {name: after[name] for name in before} == before
    assert after["dated"] == store.created_at
    assert client.models.retrieve("dated").created == store.created_at
    assert all(created > 1_600_000_000 for created in after.values())
    client.vector_stores.delete(store.id)


def test_stores_keep_metadata_and_can_be_renamed(client: Any) -> None:
    store = client.vector_stores.create(name="named", metadata={"team": "ops"}, description="What it is for")
    assert (store.metadata, store.model_extra["description"]) == ({"team": "ops"}, "What it is for")
    renamed = client.vector_stores.update(store.id, name="renamed")
    assert (renamed.name, renamed.metadata) == ("renamed", {"team": "ops"})
    assert client.vector_stores.update(store.id, metadata={}).metadata == {}
    assert client.vector_stores.retrieve("renamed").id == store.id
    other = client.vector_stores.create(name="named")
    with pytest.raises(openai.ConflictError):
        client.vector_stores.update(other.id, name="renamed")
    for wrong in ({str(n): "x" for n in range(17)}, {"k" * 65: "x"}, {"k": "x" * 513}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.vector_stores.create(name="wrong", metadata=wrong)
        assert str(refused.value.param).startswith("metadata")
        with pytest.raises(openai.BadRequestError) as refused:
            client.vector_stores.update(other.id, metadata=wrong)
        assert str(refused.value.param).startswith("metadata")
    for each in (store, other):
        client.vector_stores.delete(each.id)


def test_files_of_a_store_keep_attributes_and_are_found_by_their_file(client: Any) -> None:
    attributes = {"author": "Ada", "year": 1843, "draft": False, "score": 0.5}
    file = client.files.create(file=("engine.md", b"# Engine\n\nThe engine weaves patterns.\n"), purpose="assistants")
    store = client.vector_stores.create(name="attributed")
    made = client.vector_stores.files.create(store.id, file_id=file.id, attributes=attributes)
    assert made.attributes == attributes
    attached = _finished(client, store.id, file.id)
    assert attached.attributes == attributes
    assert attached.attributes["draft"] is False
    (hit,) = client.vector_stores.search(store.id, query="What does the engine weave?").data
    assert (hit.file_id, hit.attributes["author"]) == (file.id, "Ada")
    changed = client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"year": 1844})
    assert changed.attributes == {"year": 1844}
    assert client.vector_stores.files.retrieve(file.id, vector_store_id=store.id).attributes == {"year": 1844}
    with pytest.raises(openai.BadRequestError):
        client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"list": [1]})
    client.vector_stores.delete(store.id)


# --- repeated requests --------------------------------------------------------------------------------------------


def again() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def test_a_store_that_is_asked_for_twice_is_made_once(client: Any) -> None:
    headers = again()
    first = client.vector_stores.create(name="once", extra_headers=headers)
    second = client.vector_stores.with_raw_response.create(name="once", extra_headers=headers)
    assert second.headers["idempotent-replayed"] == "true"
    assert second.parse() == first
    with pytest.raises(openai.ConflictError) as other:
        client.vector_stores.create(name="twice", extra_headers=headers)
    assert other.value.param == "idempotency-key"
    client.vector_stores.delete(first.id)


def test_a_file_that_is_sent_twice_is_kept_once(client: Any) -> None:
    headers = again()
    made = {
        client.files.create(file=("same.md", b"same"), purpose="vision", extra_headers=headers).id for _ in range(3)
    }
    assert [file.id for file in client.files.list(purpose="vision")] == list(made)
    with pytest.raises(openai.ConflictError):
        client.files.create(file=("same.md", b"other"), purpose="vision", extra_headers=headers)


def test_a_key_belongs_to_who_sent_it(server: Server, client: Any) -> None:
    headers = again()
    client.files.create(file=("mine.md", b"mine"), purpose="evals", extra_headers=headers)
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as other:
        made = other.files.with_raw_response.create(file=("n.md", b"n"), purpose="evals", extra_headers=headers)
        assert "idempotent-replayed" not in made.headers


CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


class Slow(Recited):
    """Counts what it is asked, and takes its time."""

    asked = 0

    async def respond(self, request: Any, context: Any) -> Any:
        type(self).asked += 1
        await asyncio.sleep(0.05)
        return await super().respond(request, context)


async def test_the_same_chat_at_the_same_time_is_answered_once() -> None:
    class Counted(Slow):
        asked = 0

    app = gateway(Counted(Text("Hello"), Finish("stop")))
    headers = {"idempotency-key": "k"}
    replies = await asyncio.gather(
        *(ask(app, "POST", "/v1/chat/completions", CHAT, headers=headers) for _ in range(5)),
        ask(app, "POST", "/v1/chat/completions", {**CHAT, "user": "other"}, headers=headers),
    )
    assert [reply.status for reply in replies] == [200] * 5 + [409]
    assert len({reply.body for reply in replies[:5]}) == 1
    assert Counted.asked == 1
    assert replies[-1].error["param"] == "idempotency-key"
    await ask(app, "POST", "/v1/chat/completions", CHAT, headers={"idempotency-key": "another"})
    assert Counted.asked == 2


@pytest.mark.parametrize(("field", "value"), [("stream", True), ("store", False)])
async def test_an_answer_that_cannot_be_kept_says_so(field: str, value: bool) -> None:
    app = gateway(Recited(Text("Hello"), Finish("stop")))
    headers = {"idempotency-key": "k"}
    reply = await ask(app, "POST", "/v1/chat/completions", {**CHAT, field: value}, headers=headers)
    assert (reply.status, reply.error["param"]) == (400, field)


async def test_a_refusal_is_not_kept() -> None:
    app = gateway(Recited(Text("Hello"), Finish("stop")))
    headers = {"idempotency-key": "k"}
    assert (await ask(app, "POST", "/v1/chat/completions", {**CHAT, "stop": [""]}, headers=headers)).status == 400
    assert (await ask(app, "POST", "/v1/chat/completions", CHAT, headers=headers)).status == 200
    empty = await ask(app, "POST", "/v1/chat/completions", CHAT, headers={"idempotency-key": "k" * 256})
    assert (empty.status, empty.error["param"]) == (400, "idempotency-key")


def _finished(client: Any, store_id: str, file_id: str) -> Any:
    for _ in range(300):
        attached = client.vector_stores.files.retrieve(file_id, vector_store_id=store_id)
        if attached.status != "in_progress":
            assert attached.status == "completed", attached.last_error
            return attached
        time.sleep(0.1)
    raise AssertionError("the file was not ingested")
