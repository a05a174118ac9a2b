"""Paths and methods that no route has: the refusal names those that there are."""

from __future__ import annotations

import pytest
from fastapi import APIRouter

from mainspring.core.types import Finish, Text
from tests.gateway.asgi import ask, gateway
from tests.serving.house import Recited

THINGS = APIRouter()


@THINGS.get("/v1/things/{thing_id}")
async def one(thing_id: str) -> dict[str, str]:
    return {"id": thing_id}


@THINGS.delete("/v1/things/{thing_id}")
async def gone(thing_id: str) -> dict[str, str]:
    return {"id": thing_id}


app = gateway(Recited(Text("Hello"), Finish("stop")), THINGS)


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/embeddings", "/v1/embeddings"),
        ("/v1/thing/abc", "/v1/things/{thing_id}"),
        ("/openai/deployments/m/chat/completion", None),
        ("/v1/" + "x" * 5000, None),
    ],
)
async def test_an_unknown_path_is_refused_with_near_ones(path: str, near: str | None) -> None:
    reply = await ask(app, "GET", path)
    assert (reply.status, reply.error["code"], reply.error["type"]) == (404, "not_found", "invalid_request_error")
    assert len(reply.error["message"]) < 500
    if near is not None:
        assert f"Did you mean {near}" in reply.error["message"]


async def test_a_method_that_no_route_takes_is_refused_with_all_that_do() -> None:
    reply = await ask(app, "PUT", "/v1/things/abc")
    assert (reply.status, reply.error["code"]) == (405, "method_not_allowed")
    assert reply.headers["allow"] == ["DELETE, GET, HEAD, OPTIONS"]
    assert "It takes DELETE, GET" in reply.error["message"]


async def test_head_is_answered_as_get_without_the_body() -> None:
    whole = await ask(app, "GET", "/v1/things/abc")
    bare = await ask(app, "HEAD", "/v1/things/abc")
    assert (bare.status, bare.body) == (200, b"")
    assert bare.headers["content-length"] == whole.headers["content-length"] == [str(len(whole.body))]
    assert (await ask(app, "HEAD", "/v1/chat/completions")).status == 405


async def test_options_names_the_methods() -> None:
    reply = await ask(app, "OPTIONS", "/v1/things/abc")
    assert (reply.status, reply.headers["allow"]) == (204, ["DELETE, GET, HEAD, OPTIONS"])
    assert "access-control-allow-origin" not in reply.headers
    assert (await ask(app, "OPTIONS", "/v1/none/of/these")).status == 404
