"""Keys that are limited to some models or some collections: what else there is does not exist for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.settings import ServingSettings
from mainspring.core.settings.serving.scaling import ScaledModel
from mainspring.core.types import Reach, confined, confinement, real
from tests.world import Key, World, echoing, opened, use_engines

CHAT = "/v1/chat/completions"
NOBODY: frozenset[str] = frozenset()


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, echoing("echo", "other"))


async def limited(world: World, scopes: tuple[str, ...] = ("chat", "embed", "ingest"), **reach: set[str]) -> Key:
    chosen = Reach(**{name: frozenset(values) for name, values in reach.items()})
    _, secret = await world.system.stores.keys.create("k", scopes=frozenset(scopes), reach=chosen)
    return Key("k", "default", NOBODY, secret)


async def open_key(world: World) -> Key:
    _, secret = await world.system.stores.keys.create("open", scopes=frozenset({"admin"}))
    return Key("open", "default", NOBODY, secret)


async def say(world: World, key: Key, model: str, text: str = "Hi", **more: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0, **more}
    return await world.call(key, "POST", CHAT, body)


async def names(world: World, key: Key, path: str) -> set[str]:
    found = (await world.call(key, "GET", path)).json()["data"]
    return {str(each.get("name") or each["id"]) for each in found}


async def test_a_key_of_some_models_asks_those_alone(tmp_path: Path) -> None:
    scaled = {"careful": ScaledModel(model="echo", method="best_of", samples=2)}
    serving = ServingSettings(scaled=scaled)
    async with opened(tmp_path, serving=serving) as world:
        key = await limited(world, models={"other", "careful"})
        assert (await say(world, key, "other")).status_code == 200
        # What a name that it may ask is made of is not its business.
        assert (await say(world, key, "careful")).status_code == 200
        for model in ("echo", "document-qa", "nonsense"):
            answer = await say(world, key, model)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
            assert (await world.call(key, "GET", f"/v1/models/{model}")).status_code == 404
        assert await names(world, key, "/v1/models") == {"other", "careful"}
        embed = {"model": "words", "input": "Hi"}
        assert (await world.call(key, "POST", "/v1/embeddings", embed)).status_code == 404


async def test_a_key_of_some_collections_finds_no_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        everybody = await open_key(world)
        plans, secrets = await world.store(everybody, "plans"), await world.store(everybody, "secrets")
        shown, hidden = await world.add(everybody, plans, NOBODY), await world.add(everybody, secrets, NOBODY)
        key = await limited(world, collections={"plans"})
        assert await names(world, key, "/v1/vector_stores") == {"plans"}
        listed = await names(world, key, "/v1/models")
        assert "plans" in listed
        assert "secrets" not in listed
        for store in (secrets, "secrets"):
            for method, route, body in (
                ("GET", "", None),
                ("GET", "/files", None),
                ("POST", "/search", {"query": hidden.topic}),
                ("POST", "", {"name": "plans"}),
                ("DELETE", "", None),
                ("DELETE", f"/files/{hidden.file_id}", None),
            ):
                answer = await world.call(key, method, f"/v1/vector_stores/{store}{route}", body)
                assert answer.status_code == 404, (method, route, answer.text)
            assert (await say(world, key, store)).status_code == 404
            named = await say(world, key, "document-qa", options={"collections": [store]})
            assert named.status_code == 404
        question = f"What do we know about {hidden.topic}?"
        assert hidden.mark not in (await say(world, key, "document-qa", question)).text
        assert hidden.mark in (await say(world, everybody, "document-qa", question)).text
        asked = f"What do we know about {shown.topic}?"
        for model in ("plans", "document-qa"):
            assert shown.mark in (await say(world, key, model, asked)).text


async def test_files_are_those_of_its_collections_and_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        everybody = await open_key(world)
        plans, secrets = await world.store(everybody, "plans"), await world.store(everybody, "secrets")
        shown, hidden = await world.add(everybody, plans, NOBODY), await world.add(everybody, secrets, NOBODY)
        loose = {"file": ("loose.txt", b"Nowhere yet."), "purpose": (None, "assistants")}
        unattached = (await world.call(everybody, "POST", "/v1/files", files=loose)).json()["id"]
        key, alike = await limited(world, collections={"plans"}), await limited(world, collections={"plans"})
        otherwise = await limited(world, collections={"plans", "secrets"})
        files = {row["id"] for row in (await world.call(key, "GET", "/v1/files")).json()["data"]}
        assert files == {shown.file_id}
        for file_id in (hidden.file_id, unattached):
            for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
                assert (await world.call(key, method, f"/v1/files/{file_id}{path}")).status_code == 404
            body = {"file_id": file_id}
            assert (await world.call(key, "POST", f"/v1/vector_stores/{plans}/files", body)).status_code == 404
        # Its own is there for those who are limited alike; once it is in the collection, for all who see that.
        made = (await world.call(key, "POST", "/v1/files", files=loose)).json()
        assert made["groups"] == []
        for other, status in ((alike, 200), (otherwise, 404)):
            assert (await world.call(other, "GET", f"/v1/files/{made['id']}")).status_code == status
        await world.call(key, "POST", f"/v1/vector_stores/{plans}/files", {"file_id": made["id"]})
        for other in (key, alike, otherwise, everybody):
            assert (await world.call(other, "GET", f"/v1/files/{made['id']}")).status_code == 200


async def test_it_makes_no_collection_that_it_could_not_see(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        key = await limited(world, collections={"plans"})
        answer = await world.call(key, "POST", "/v1/vector_stores", {"name": "secrets"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (403, "name")
        store = await world.store(key, "plans")
        answer = await world.call(key, "POST", f"/v1/vector_stores/{store}", {"name": "secrets"})
        assert answer.status_code == 403
        assert await names(world, key, "/v1/vector_stores") == {"plans"}


async def test_what_others_said_and_were_answered_is_not_for_it(tmp_path: Path) -> None:
    """A conversation or a cached answer may hold what came from collections that it may not see."""
    async with opened(tmp_path) as world:
        everybody = await open_key(world)
        key = await limited(world, collections={"plans"})
        cached: dict[str, Any] = {"options": {"cache": True}}
        for each, expected in ((everybody, "miss"), (everybody, "hit"), (key, "miss"), (key, "hit")):
            assert (await say(world, each, "echo", **cached)).headers["x-cache"] == expected
        await say(world, everybody, "echo", "The word is brovandil.", session_id="tea")
        assert (await world.call(key, "GET", "/v1/sessions/tea")).status_code == 404
        assert (await world.call(key, "GET", "/v1/sessions")).json()["data"] == []
        await say(world, key, "echo", "Mine.", session_id="tea")
        assert "brovandil" not in (await world.call(key, "GET", "/v1/sessions/tea/messages")).text
        # Who administers the tenant sees what was done with it.
        traced = await say(world, key, "echo", "Traced.")
        await world.system.telemetry.flush()
        found = await world.call(everybody, "GET", f"/v1/traces/{traced.headers['x-trace-id']}")
        assert found.status_code == 200
        events = await world.call(everybody, "GET", f"/v1/events?trace_id={traced.headers['x-trace-id']}")
        assert "Traced." in events.text


async def test_keys_say_what_they_are_limited_to_and_make_none_that_are_less(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        everybody = await open_key(world)
        body = {"name": "app", "role": "editor", "models": ["echo"], "collections": ["plans"], "regions": ["eu"]}
        made = (await world.call(everybody, "POST", "/v1/keys", body)).json()
        assert made["scopes"] == ["chat", "embed", "ingest"]
        key = Key("app", "default", NOBODY, made["secret"])
        me = (await world.call(key, "GET", "/v1/me")).json()
        assert (me["models"], me["collections"], me["regions"]) == (["echo"], ["plans"], ["eu"])
        assert me["groups"] == []
        rotated = (await world.call(everybody, "POST", f"/v1/keys/{made['id']}/rotate", {})).json()
        assert (rotated["models"], rotated["collections"], rotated["regions"]) == (["echo"], ["plans"], ["eu"])
        european = await limited(world, scopes=("admin",), regions={"eu"})
        for regions, status in (([], 403), (["us"], 403), (["eu", "us"], 403), (["eu"], 201)):
            answer = await world.call(european, "POST", "/v1/keys", {"name": "x", "regions": regions})
            assert answer.status_code == status, answer.text
        loose = (await world.call(everybody, "POST", "/v1/keys", {"name": "loose"})).json()
        assert (await world.call(european, "POST", f"/v1/keys/{loose['id']}/rotate", {})).status_code == 403
        for wrong in (
            {"role": "boss"},
            {"models": ["a\x1fb"]},
            {"regions": ["EU"]},
            {"scopes": ["admin"], "models": ["m"]},
        ):
            assert (await world.call(everybody, "POST", "/v1/keys", {"name": "x", **wrong})).status_code == 400
        assert "\\u001f" not in json.dumps((await world.call(everybody, "GET", "/v1/keys")).json())
        with pytest.raises(InvalidRequest):
            await limited(world, collections={"a\x1fb"})


def test_what_confines_is_no_group() -> None:
    groups = confined(frozenset({"red"}), frozenset({"b", "a"}))
    assert real(groups) == {"red"}
    assert confinement(groups) == {"a", "b"}
    assert groups == confined(frozenset({"red"}), frozenset({"a", "b"})) != confined(groups, frozenset({"a"}))
    assert confined(frozenset({"red"}), frozenset()) == {"red"}
    assert confinement(frozenset({"red"})) == frozenset()
