"""The registry of prompts over HTTP, and requests that name one, in both of OpenAI's shapes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from mainspring.core.settings import GatewaySettings
from mainspring.features.prompts import routes
from mainspring.gateway.responses import routes as responses
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.http.openai.response_ids import answer_id
from tests.gateway.asgi import Kept, Keys, Reply, ask, behind, gateway
from tests.serving.talk import Talk, talk


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talk(tmp_path) as opened:
        yield opened


@pytest.fixture
def app(home: Talk) -> FastAPI:
    settings = GatewaySettings()
    access, idempotency = access_to(Keys(), settings.request_timeout_s), Idempotency(Kept())

    async def basis(*_: object) -> str:
        return ""

    async def count(*_: object) -> int:
        return 0

    answered = responses.router(home.ring, home.stores.events, settings, access, idempotency, behind(basis, count))
    return gateway(home.ring, routes.router(home.stores.prompts, home.prompts, access, idempotency), answered)


async def add(app: FastAPI, text: str, **more: Any) -> Reply:
    return await ask(app, "POST", "/v1/prompts/greet/versions", {"template": text, **more})


async def point(app: FastAPI, version: int, label: str = "production", **headers: str) -> Reply:
    place = f"/v1/prompts/greet/labels/{label}"
    return await ask(
        app, "PUT", place, {"version": version}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def test_versions_are_added_shown_compared_and_rendered(app: FastAPI) -> None:
    first = await add(app, "Greet for {{company}}.", note="the first")
    assert first.status == 201
    assert {key: first.json[key] for key in ("id", "version", "author", "note", "variables", "created")} == {
        "id": "greet@1",
        "version": 1,
        "author": "key_1",
        "note": "the first",
        "variables": ["company"],
        "created": True,
    }
    again = await add(app, "Greet for {{company}}.")
    assert (again.status, again.json["version"], again.json["created"]) == (200, 1, False)
    assert (await add(app, "Greet {{who}} for\n{{company}}.")).json["version"] == 2
    body = (await ask(app, "GET", "/v1/prompts/greet")).json
    assert [each["version"] for each in body["versions"]] == [2, 1]
    assert "messages" not in body["versions"][0]
    latest = (await ask(app, "GET", "/v1/prompts/greet/versions/latest")).json
    assert latest["messages"] == [{"role": "system", "content": "Greet {{who}} for\n{{company}}."}]
    diff = (await ask(app, "GET", "/v1/prompts/greet/diff?from=1")).json
    assert (diff["variables_added"], diff["variables_removed"]) == (["who"], [])
    assert "-Greet for {{company}}.\n+Greet {{who}} for\n+{{company}}." in diff["diff"]
    place = "/v1/prompts/greet/versions/2/render"
    shown = await ask(app, "POST", place, {"variables": {"who": "Ada", "company": 3}})
    assert shown.json["messages"][0]["content"] == "Greet Ada for\n3."
    wrong = await ask(app, "POST", place, {"variables": {"who": "Ada", "compny": "x"}})
    assert (wrong.status, wrong.error["param"]) == (400, "body.variables.company")
    assert "Did you mean company" in wrong.error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "template"),
        ({"template": "x", "messages": []}, "template"),
        ({"template": "  "}, "template"),
        ({"template": "{{1}}"}, "template"),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "{{#a}}"}]},
            "messages[1].content",
        ),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.role"),
        ({"template": "x", "notes": "y"}, "notes"),
    ],
)
async def test_what_is_no_prompt_is_refused_by_its_field(app: FastAPI, body: dict[str, Any], param: str) -> None:
    reply = await ask(app, "POST", "/v1/prompts/greet/versions", body)
    assert (reply.status, reply.error["param"]) == (400, param)
    assert (await ask(app, "GET", "/v1/prompts/greet")).status == 404


async def test_a_label_moves_only_from_where_it_was_seen(app: FastAPI) -> None:
    for text in "abc":
        await add(app, text)
    assert (await point(app, 1, if_match="0")).headers["etag"] == ['"1"']
    assert (await point(app, 2, if_match='"1"')).json["revision"] == 2
    late = await point(app, 3, if_match='"1"')
    assert (late.status, late.error["code"]) == (412, "precondition_failed")
    assert (await point(app, 3)).json["revision"] == 3
    assert (await point(app, 9)).status == 404
    assert (await point(app, 1, "latest")).error["param"] == "label"
    assert (await point(app, 1, "7")).error["param"] == "label"
    assert (await point(app, 1, if_match="x")).error["param"] == "if-match"
    back = await ask(app, "POST", "/v1/prompts/greet/labels/production/rollback", {"note": "rude"})
    assert (back.json["version"], back.json["kind"], back.json["note"]) == (2, "rollback", "rude")
    history = (await ask(app, "GET", "/v1/prompts/greet/labels/production")).json["data"]
    assert [(each["revision"], each["version"]) for each in history] == [(4, 2), (3, 3), (2, 2), (1, 1)]
    listed = (await ask(app, "GET", "/v1/prompts")).json["data"]
    assert listed[0]["labels"] == {"production": {"version": 2, "revision": 4}}


async def test_what_is_pointed_to_is_not_deleted(app: FastAPI) -> None:
    await add(app, "a")
    await add(app, "b")
    await point(app, 2)
    for place in ("/v1/prompts/greet", "/v1/prompts/greet/versions/2"):
        refused = await ask(app, "DELETE", place)
        assert refused.status == 409
        assert "production" in refused.error["message"]
    assert (await ask(app, "DELETE", "/v1/prompts/greet/versions/1")).status == 200
    assert (await ask(app, "DELETE", "/v1/prompts/greet/labels/production")).json["version"] is None
    assert (await ask(app, "DELETE", "/v1/prompts/greet")).json["versions"] == 1
    assert (await ask(app, "GET", "/v1/prompts/greet")).status == 404
    assert (await ask(app, "GET", "/v1/prompts")).json["data"] == []


async def test_a_chat_request_names_a_prompt(home: Talk, app: FastAPI) -> None:
    await add(app, "Greet for {{company}}.{{#vip}} Bow.{{/vip}}")
    await point(app, 1)
    said: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
    use = {"id": "greet", "variables": {"company": {"type": "input_text", "text": "Acme"}, "vip": False}}
    reply = await ask(app, "POST", "/v1/chat/completions", said | {"prompt": use})
    assert reply.status == 200
    assert reply.headers["x-mainspring-prompt"] == ["greet@1"]
    assert [each.content for each in home.shown] == ["Greet for Acme.", "Hi"]
    wrong = await ask(app, "POST", "/v1/chat/completions", said | {"prompt": {"id": "greet", "version": 1}})
    assert (wrong.status, wrong.error["param"]) == (400, "prompt.variables.company")
    for variable in ({"company": ["x"]}, {"company": {"type": "input_image"}}):
        wrong = await ask(
            app, "POST", "/v1/chat/completions", said | {"prompt": {"id": "greet", "variables": variable}}
        )
        assert (wrong.status, wrong.error["param"]) == (400, "prompt.variables.company")
    gone = await ask(app, "POST", "/v1/chat/completions", said | {"prompt": {"id": "greet", "version": "staging"}})
    assert gone.status == 404


async def test_a_response_names_a_prompt_and_tells_it_again(home: Talk, app: FastAPI) -> None:
    await add(app, "Greet for {{company}}.")
    await point(app, 1)
    use = {"id": "greet", "version": "1", "variables": {"company": "Acme"}}
    body = {"model": "chat", "input": "Hi", "instructions": "Be kind.", "prompt": use}
    made = await ask(app, "POST", "/v1/responses", body)
    assert made.json["prompt"] == use
    assert [each.content for each in home.shown] == ["Greet for Acme.", "Be kind.", "Hi"]
    read = (await ask(app, "GET", f"/v1/responses/{made.json['id']}")).json
    assert (read["prompt"], read["instructions"]) == (use, "Be kind.")
    record = await home.stores.events.get("acme", answer_id(made.json["id"]))
    assert json.loads(record.content or "")["messages"] == [{"role": "user", "content": "Hi"}]
    # The next turn names none, and is under none.
    await ask(app, "POST", "/v1/responses", {"model": "chat", "input": "Bye", "previous_response_id": made.json["id"]})
    assert [each.role for each in home.shown] == ["user", "assistant", "user"]
