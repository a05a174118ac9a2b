"""The headers that every answer has, and which pages of other origins may read one."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import json
import re
import weakref
from typing import Any

import pytest

from mainspring.core.errors import SettingsError
from mainspring.core.settings import load
from mainspring.core.types import Finish, Text
from mainspring.gateway.edge.trace_headers import SHOWN
from tests.conftest import ROOT
from tests.gateway.asgi import ask, gateway
from tests.serving.house import Recited

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
APP = "https://app.example.com"
ASKS = {"origin": APP, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}


def app(**settings: Any) -> Any:
    return gateway(Recited(Text("Hello"), Finish("stop")), **settings)


async def test_every_answer_forbids_browsers_what_it_is_not_for() -> None:
    for method, path, body in (
        ("POST", "/v1/chat/completions", CHAT),
        ("POST", "/v1/chat/completions", {**CHAT, "stream": True}),
        ("POST", "/v1/chat/completions", b"{"),
        ("GET", "/nothing", b""),
        ("PUT", "/v1/chat/completions", b""),
    ):
        headers = (await ask(app(), method, path, body)).headers
        assert headers["x-content-type-options"] == ["nosniff"], path
        assert headers["cache-control"] == ["no-store"], path
        assert headers["x-frame-options"] == ["DENY"]
        assert headers["referrer-policy"] == ["no-referrer"]
        assert headers["content-security-policy"][0].startswith("default-src 'none'")
        assert len(headers["x-trace-id"]) == 1
        assert "strict-transport-security" not in headers
        assert "access-control-allow-origin" not in headers


async def test_a_failure_of_ours_has_the_headers_too() -> None:
    class Broken(Recited):
        async def respond(self, request: Any, context: Any) -> Any:
            raise ZeroDivisionError

    reply = await ask(gateway(Broken()), "POST", "/v1/chat/completions", CHAT, raises=ZeroDivisionError)
    assert reply.status == 500
    assert reply.headers["x-frame-options"] == ["DENY"]
    assert len(reply.headers["x-trace-id"]) == 1


class Serving:
    """What a server holds of a request: its scope, and a way to the client that knows it."""

    def __init__(self, body: dict[str, Any]) -> None:
        headers = [(b"authorization", b"Bearer ms-all"), (b"content-type", b"application/json")]
        self.body = json.dumps(body).encode()
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "query_string": b"",
            "scheme": "http",
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.1", 1),
        }
        self.status = 0

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_of_a_request_is_left_for_the_collector(stream: bool) -> None:
    served = app()

    async def answered() -> weakref.ref[Serving]:
        request = Serving({**CHAT, "stream": stream})
        unread = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Any:
            return unread.pop() if unread else await asyncio.Event().wait()

        await served(request.scope, receive, request.send)
        assert request.status == 200
        return weakref.ref(request)

    await answered()
    gc.collect()
    gc.disable()
    try:
        left = await answered()
        # What watched the client ends with the next turns of the loop.
        for _ in range(3):
            await asyncio.sleep(0)
        assert left() is None
    finally:
        gc.enable()


async def test_a_heartbeat_that_begins_a_stream_brings_them() -> None:
    class Slow(Recited):
        async def respond(self, request: Any, context: Any) -> Any:
            await asyncio.sleep(0.5)
            return await super().respond(request, context)

    served = gateway(Slow(Text("Hello"), Finish("stop")), heartbeat_s=0.05, cors={"origins": [APP]})
    body = {**CHAT, "stream": True}
    reply = await ask(served, "POST", "/v1/chat/completions", body, headers={"origin": APP})
    assert reply.body.startswith(b": waiting")
    assert reply.headers["cache-control"] == ["no-store"]
    assert reply.headers["x-frame-options"] == ["DENY"]
    assert reply.headers["access-control-allow-origin"] == [APP]


async def test_pages_of_named_origins_may_read_answers_and_no_others() -> None:
    served = app(cors={"origins": [APP]})
    reply = await ask(served, "POST", "/v1/chat/completions", CHAT, headers={"origin": APP})
    assert reply.headers["access-control-allow-origin"] == [APP]
    assert "x-trace-id" in reply.headers["access-control-expose-headers"][0]
    assert "Origin" in reply.headers["vary"]
    assert "access-control-allow-credentials" not in reply.headers
    for other in ("https://evil.example.com", f"{APP}.evil.com", "null", "http://app.example.com"):
        reply = await ask(served, "POST", "/v1/chat/completions", CHAT, headers={"origin": other})
        assert reply.status == 200
        assert "access-control-allow-origin" not in reply.headers
        assert "Origin" in reply.headers["vary"]


async def test_a_browser_gets_an_answer_beforehand_without_a_key() -> None:
    served = app(cors={"origins": [APP]})
    reply = await ask(served, "OPTIONS", "/v1/chat/completions", headers={**ASKS, "authorization": ""})
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == [APP]
    assert "POST" in reply.headers["access-control-allow-methods"][0]
    assert reply.headers["access-control-max-age"] == ["600"]
    for wrong in ({"origin": "https://evil.example.com"}, {"access-control-request-headers": "x-evil"}):
        assert (await ask(served, "OPTIONS", "/v1/chat/completions", headers={**ASKS, **wrong})).status == 400
    closed = await ask(app(), "OPTIONS", "/v1/chat/completions", headers=ASKS)
    assert not [name for name in closed.headers if name.startswith("access-control-")]


async def test_all_origins_may_be_allowed() -> None:
    reply = await ask(app(cors={"origins": ["*"]}), "POST", "/v1/chat/completions", CHAT, headers={"origin": APP})
    assert reply.headers["access-control-allow-origin"] == ["*"]


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/", "https://*.example.com", "null"])
def test_an_invalid_origin_is_refused_in_the_settings(origin: str) -> None:
    with pytest.raises(SettingsError, match="is not an origin"):
        load(environment={"MAINSPRING_GATEWAY__CORS__ORIGINS": f"['{origin}']"})


async def test_who_is_refused_is_told_how_to_ask() -> None:
    async def challenge(path: str, headers: dict[str, str], body: object = CHAT) -> tuple[int, str]:
        reply = await ask(app(), "POST", path, body, headers=headers)
        return reply.status, reply.headers["www-authenticate"][0]

    status, said = await challenge("/v1/chat/completions", {"authorization": "Bearer nonsense"})
    assert (status, said.partition(",")[0]) == (401, 'Bearer error="invalid_token"')
    status, said = await challenge("/v1/chat/completions", {"authorization": "Bearer ms-embed"})
    assert (status, said.partition(",")[0]) == (403, 'Bearer error="insufficient_scope"')


async def test_no_redirect_repeats_the_host_of_a_request() -> None:
    reply = await ask(app(), "GET", "/v1/models/", headers={"host": "evil.example"})
    assert reply.status == 404
    assert "location" not in reply.headers


async def test_pages_may_send_what_requests_may_say() -> None:
    asked = {**ASKS, "access-control-request-headers": "x-training-consent,if-match,x-region"}
    reply = await ask(app(cors={"origins": [APP]}), "OPTIONS", "/v1/chat/completions", headers=asked)
    assert reply.status == 200
    assert (
        "etag"
        in (await ask(app(cors={"origins": [APP]}), "GET", "/", headers={"origin": APP})).headers[
            "access-control-expose-headers"
        ][0]
    )


def test_pages_may_read_every_header_of_ours() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "mainspring").rglob("*.py"))
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    named = set(re.findall(r'"(x-mainspring-[a-z-]+)"', code)) | set(re.findall(r"`(x-mainspring-[a-z-]+)`", pages))
    # Those of notices that are sent to webhooks.
    assert named - set(SHOWN) == {"x-mainspring-delivery", "x-mainspring-signature", "x-mainspring-timestamp"}


async def test_the_reference_runs_nothing_and_loads_nothing() -> None:
    """Keys are pasted into whatever stands beside it: no script, and nothing from another host."""
    reply = await ask(app(), "GET", "/docs")
    page = reply.body.decode()
    assert reply.headers["content-type"] == ["text/html; charset=utf-8"]
    (policy,) = reply.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "http" not in policy
    assert "<script" not in page
    assert not re.search(r"(src|href)=['\"]?(https?:)?//", page)
    # The style is let through by its hash, which is that of the style on the page.
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "POST /v1/chat/completions</code> <span class=note>scope chat" in page
    assert ">max_tokens<" in page
    assert page.count("<h3") == page.count("</h3>")


async def test_every_answer_names_its_trace_as_both_vendors_clients_read_it() -> None:
    for method, path, body in (
        ("POST", "/v1/chat/completions", CHAT),
        ("POST", "/v1/chat/completions", {**CHAT, "stream": True}),
        ("POST", "/v1/chat/completions", b"{"),
        ("GET", "/nothing", b""),
        ("PUT", "/v1/chat/completions", b""),
        ("OPTIONS", "/v1/chat/completions", b""),
    ):
        headers = (await ask(app(), method, path, body)).headers
        assert headers["x-request-id"] == headers["request-id"] == headers["x-trace-id"], (method, path)
        assert len(headers["x-request-id"]) == 1
    assert {"x-request-id", "request-id"} <= set(SHOWN)
