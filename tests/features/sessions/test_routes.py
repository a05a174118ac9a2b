"""Sessions over HTTP, on the real stores: who sees which, and what can be done with them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from fastapi import FastAPI

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Message, Principal, ToolCall, TraceParent
from mainspring.features.sessions import routes as sessions
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.serving.memory.layer import stored_name
from mainspring.stores.schema import turns
from mainspring.stores.sessions.answers import SessionAnswers
from mainspring.stores.sessions.turns import SessionTurn, delete_turns
from tests.gateway.asgi import Kept, ask
from tests.serving.talk import Talk, talk


class Groups:
    """A secret is a tenant and groups: ``acme/a,b``; the tenant ``embed`` may not chat."""

    async def authenticate(self, secret: str) -> Principal:
        tenant, _, groups = secret.partition("/")
        scope = "embed" if tenant == "embed" else "chat"
        groups, _, key_id = groups.partition("#")
        return Principal(tenant, key_id or "key_1", frozenset({scope}), frozenset(filter(None, groups.split(","))))


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talk(tmp_path) as opened:
        yield opened


@pytest.fixture
def app(home: Talk) -> FastAPI:
    settings = GatewaySettings()
    access = access_to(Groups(), settings.request_timeout_s)
    routes = sessions.router(home.stores.sessions, access, Idempotency(Kept()), SessionAnswers(home.stores.database))
    return create_app([routes], settings, lambda header: TraceParent.new())


async def settle(home: Talk, name: str, said: Sequence[Message], secret: str = "acme/a") -> None:
    principal = await Groups().authenticate(secret)
    turn = SessionTurn(principal.tenant, stored_name(principal, name), tuple(said), "t", 5.0, 7)
    await home.stores.events.settle([], [turn])


def key(secret: str = "acme/a") -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


SAID = [
    [Message("user", "Hello"), Message("assistant", "Hi.")],
    [
        Message("user", "What is 2 + 2?"),
        Message("assistant", "", tool_calls=(ToolCall("c1", "add", '{"a": 2}'),)),
        Message("tool", "4", tool_call_id="c1"),
        Message("assistant", "Four: caf\u00e9 \ud83d"),
    ],
]


async def test_a_session_is_listed_read_forked_exported_and_deleted(home: Talk, app: FastAPI) -> None:
    for said in SAID:
        await settle(home, "tea:1", said)
    (listed,) = (await ask(app, "GET", "/v1/sessions", headers=key())).json["data"]
    assert {name: listed[name] for name in ("id", "turns", "messages", "spent_tokens", "forked_from")} == {
        "id": "tea:1",
        "turns": 2,
        "messages": 6,
        "spent_tokens": 14,
        "forked_from": None,
    }
    assert (await ask(app, "GET", "/v1/sessions/tea:1", headers=key())).json == listed
    page = (await ask(app, "GET", "/v1/sessions/tea:1/messages?order=asc&limit=3", headers=key())).json
    assert [each["content"] for each in page["data"]] == ["Hello", "Hi.", "What is 2 + 2?"]
    after = f"/v1/sessions/tea:1/messages?order=asc&after={page['last_id']}"
    rest = (await ask(app, "GET", after, headers=key())).json
    assert [each["role"] for each in rest["data"]] == ["assistant", "tool", "assistant"]
    assert rest["data"][0]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 2}'}

    body = {"session_id": "tea:2", "turn_id": page["data"][0]["turn_id"]}
    forked = await ask(app, "POST", "/v1/sessions/tea:1/fork", body, headers=key())
    assert (forked.status, forked.json["forked_from"], forked.json["turns"]) == (201, "tea:1", 1)
    again = await ask(app, "POST", "/v1/sessions/tea:1/fork", body, headers=key())
    assert (again.status, again.error["param"]) == (409, "session_id")

    lines = (await ask(app, "GET", "/v1/sessions/tea:1/export", headers=key())).body.decode().splitlines()
    assert [json.loads(line)["role"] for line in lines] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    text = await ask(app, "GET", "/v1/sessions/tea:1/export?format=markdown", headers=key())
    assert text.headers["content-type"] == ["text/markdown; charset=utf-8"]
    assert "**tool**\n\n4" in text.body.decode()

    assert (await ask(app, "DELETE", "/v1/sessions/tea:1", headers=key())).json["deleted"] is True
    assert (await ask(app, "GET", "/v1/sessions/tea:1", headers=key())).status == 404
    assert (await ask(app, "DELETE", "/v1/sessions/tea:1", headers=key())).status == 404
    assert [each["id"] for each in (await ask(app, "GET", "/v1/sessions", headers=key())).json["data"]] == ["tea:2"]


@pytest.mark.parametrize("other", ["acme", "acme/a,b", "acme/b", "other/a"])
async def test_nobody_else_sees_it(home: Talk, app: FastAPI, other: str) -> None:
    await settle(home, "s", SAID[0])
    assert (await ask(app, "GET", "/v1/sessions", headers=key(other))).json["data"] == []
    for method, path in (
        ("GET", "/v1/sessions/s"),
        ("GET", "/v1/sessions/s/messages"),
        ("GET", "/v1/sessions/s/summary"),
        ("GET", "/v1/sessions/s/export"),
        ("DELETE", "/v1/sessions/s"),
    ):
        assert (await ask(app, method, path, headers=key(other))).status == 404, path
    body = {"session_id": "mine"}
    assert (await ask(app, "POST", "/v1/sessions/s/fork", body, headers=key(other))).status == 404
    assert (await ask(app, "GET", "/v1/sessions/s", headers=key())).status == 200


async def test_bad_requests_are_named(home: Talk, app: FastAPI) -> None:
    await settle(home, "s", SAID[0])
    assert (await ask(app, "GET", "/v1/sessions", headers=key("embed"))).status == 403
    for path, param in (
        ("/v1/sessions?limit=0", "limit"),
        ("/v1/sessions?after=nobody", "after"),
        ("/v1/sessions/s/messages?after=1:x", "after"),
        ("/v1/sessions/s/export?format=pdf", "format"),
        ("/v1/sessions/s/messages?lmit=3", "lmit"),
    ):
        refused = await ask(app, "GET", path, headers=key())
        assert (refused.status, refused.error["param"]) == (400, param), path
    for body, param in (
        ({"session_id": "a b"}, "session_id"),
        ({"session_id": "t", "turn": "x"}, "turn"),
        ({"session_id": "t", "turn_id": "turn-x"}, "turn_id"),
    ):
        refused = await ask(app, "POST", "/v1/sessions/s/fork", body, headers=key())
        assert (refused.status >= 400, refused.error["param"]) == (True, param)
    assert (await ask(app, "GET", "/v1/sessions/s/summary", headers=key())).status == 404


async def test_a_summary_says_where_it_comes_from(tmp_path: Path) -> None:
    async with talk(tmp_path, strategy="summary", max_tokens=128) as home:
        app = create_app(
            [sessions.router(home.stores.sessions, access_to(Groups(), 9.0), Idempotency(Kept()))],
            GatewaySettings(),
            lambda header: TraceParent.new(),
        )
        for number in range(12):
            await home.say(f"My number {number} is {number * 7} and my town is Trondheim {number}.")
        found = (await ask(app, "GET", "/v1/sessions/s/summary", headers=key("acme"))).json
        assert found["method"] == "extractive"
        assert 0 < found["covers"]["turns"] < 12
        assert "My number 0 is 0 and my town is Trondheim 0." in [note["text"] for note in found["notes"]]
        turns = (await ask(app, "GET", "/v1/sessions/s/messages?limit=100", headers=key("acme"))).json["data"]
        said = {each["turn_id"]: each["content"] for each in turns if each["role"] == "user"}
        assert all(note["text"] in said[note["turn_id"]] for note in found["notes"] if note["role"] == "user")


async def test_sessions_of_ones_own_are_for_one_key_alone(app: FastAPI, home: Talk) -> None:
    await settle(home, "own:tea", SAID[0])
    await settle(home, "shared", SAID[0])
    mine, other = key("acme/a"), key("acme/a#key_2")
    listed = [each["id"] for each in (await ask(app, "GET", "/v1/sessions?own=true", headers=mine)).json["data"]]
    assert listed == ["own:tea"]
    # Another key of the same groups continues what the groups share, and nothing else.
    assert (await ask(app, "GET", "/v1/sessions/shared", headers=other)).status == 200
    for method, path in (("GET", ""), ("GET", "/messages"), ("GET", "/export"), ("DELETE", "")):
        assert (await ask(app, method, f"/v1/sessions/own:tea{path}", headers=other)).status == 404
    assert (await ask(app, "POST", "/v1/sessions/own:tea", {"title": "x"}, headers=other)).status == 404
    assert (await ask(app, "GET", "/v1/sessions?own=true", headers=other)).json["data"] == []
    shared = [each["id"] for each in (await ask(app, "GET", "/v1/sessions", headers=other)).json["data"]]
    assert shared == ["shared"]


async def test_a_key_that_replaces_another_keeps_the_sessions_of_its_own(home: Talk) -> None:
    keys, settings = home.stores.keys, GatewaySettings()
    access = access_to(keys, settings.request_timeout_s)
    routes = sessions.router(home.stores.sessions, access, Idempotency(Kept()), SessionAnswers(home.stores.database))
    app = create_app([routes], settings, lambda header: TraceParent.new())
    first, secret = await keys.create("me", tenant="acme", scopes=frozenset({"chat"}))
    _, other = await keys.create("other", tenant="acme", scopes=frozenset({"chat"}))
    turn = SessionTurn("acme", stored_name(first.principal(), "own:tea"), tuple(SAID[0]), "t", 5.0, 7)
    await home.stores.events.settle([], [turn])
    # Replaced twice, and each of the keys by its own secret.
    second, again = await keys.rotate("acme", first.id, overlap_s=60)
    _, last = await keys.rotate("acme", second.id, overlap_s=60)
    for each, status in ((secret, 200), (again, 200), (last, 200), (other, 404)):
        assert (await ask(app, "GET", "/v1/sessions/own:tea", headers=key(each))).status == status
    listed = (await ask(app, "GET", "/v1/sessions?own=true", headers=key(last))).json["data"]
    assert [one["id"] for one in listed] == ["own:tea"]


async def test_a_key_that_one_made_is_somebody_else(home: Talk) -> None:
    keys = home.stores.keys
    maker, _ = await keys.create("admin", tenant="acme", scopes=frozenset({"admin"}))
    made, _ = await keys.create("child", tenant="acme", scopes=frozenset({"chat"}), maker=maker.principal())
    assert stored_name(made.principal(), "own:tea") != stored_name(maker.principal(), "own:tea")


async def test_a_title_is_kept_searched_and_forgotten_with_what_was_said(app: FastAPI, home: Talk) -> None:
    for name, text in (("own:tea", "Which tea grows in Assam?"), ("own:ore", "Where is 100 % ore?")):
        await settle(home, name, [Message("user", text), Message("assistant", "Nobody knows.")])
    await settle(home, "own:tea.2", [Message("user", "And bergamot?"), Message("assistant", "In Calabria.")])

    async def found(query: str) -> list[str]:
        listed = (await ask(app, "GET", f"/v1/sessions?own=true&{query}", headers=key())).json
        return [each["id"] for each in listed["data"]]

    assert (await ask(app, "GET", "/v1/sessions/own:tea", headers=key())).json["begins"] == "Which tea grows in Assam?"
    named = await ask(app, "POST", "/v1/sessions/own:tea", {"title": "  Leaves  of the hills "}, headers=key())
    assert named.json["title"] == "Leaves of the hills"
    # Titles, messages, and those of parts are searched; a sign that means something to the database means itself.
    assert await found("q=HILLS") == ["own:tea"]
    assert await found("q=tea+assam") == ["own:tea"]
    assert await found("q=tea+ore") == []
    assert await found("q=calabria") == ["own:tea"]
    assert await found("q=100+%25") == ["own:ore"]
    assert await found("q=_") == []
    assert await found("part_of=own:tea") == ["own:tea.2"]
    assert await found("limit=1&after=own:ore") in ([], ["own:tea"])
    text = (await ask(app, "GET", "/v1/sessions/own:tea/export?format=markdown", headers=key())).body.decode()
    assert text.startswith("# Session Leaves of the hills")
    # What is deleted is deleted with its parts.
    assert (await ask(app, "DELETE", "/v1/sessions/own:tea", headers=key())).status == 200
    assert (await ask(app, "GET", "/v1/sessions/own:tea.2", headers=key())).status == 404
    assert await found("limit=9") == ["own:ore"]


async def test_a_title_does_not_outlive_the_turn_that_it_may_repeat(app: FastAPI, home: Talk) -> None:
    await settle(home, "own:tea", SAID[0])
    await settle(home, "own:tea", [Message("user", "My name is Odalys."), Message("assistant", "Hello, Odalys.")])
    await ask(app, "POST", "/v1/sessions/own:tea", {"title": "Odalys"}, headers=key())
    listed = (await ask(app, "GET", "/v1/sessions/own:tea/messages", headers=key())).json["data"]
    turn = listed[0]["turn_id"]
    database = home.stores.database
    await database.write(lambda connection: delete_turns(connection, "acme", turns.c.id == turn))
    assert (await ask(app, "GET", "/v1/sessions/own:tea", headers=key())).json["title"] is None
