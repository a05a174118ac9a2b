# ruff: noqa: E501
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mainspring.agents.tools.base import ToolContext
from mainspring.agents.tools.sources import openapi
from mainspring.agents.tools.sources.http import HttpOptions, HttpTool, host_of, http_tool
from mainspring.agents.tools.sources.openapi import OpenApiOptions
from mainspring.agents.tools.sources.outgoing import Auth, Outbound, Outgoing, Secret
from mainspring.core.errors import Forbidden, InvalidRequest, Overloaded, UpstreamError
from mainspring.core.types import Context, Principal

CONTEXT = ToolContext(Context(Principal("t", "k")), "run_1", "call_1", "key-of-the-call", "agent", {})
TOKEN = "s3cr3t-token"


@pytest.fixture
async def shop() -> AsyncIterator[TestServer]:
    async def echo(request: web.Request) -> web.Response:
        text = await request.text()
        told = {
            "path": request.raw_path,
            "method": request.method,
            "body": json.loads(text) if text else None,
            "headers": {name.lower(): value for name, value in request.headers.items()},
        }
        return web.json_response(told)

    async def status(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        headers = {"Location": "http://169.254.169.254/"} if number == 302 else {"Retry-After": "3"}
        return web.Response(status=number, text="no", headers=headers)

    async def long(_: web.Request) -> web.Response:
        return web.Response(text="x" * 5000)

    app = web.Application()
    app.router.add_get("/status/{number}", status)
    app.router.add_get("/long", long)
    app.router.add_route("*", "/{any:.*}", echo)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


def sender(server: TestServer, **changes: Any) -> Outgoing:
    values: dict[str, Any] = {"private_hosts": {"127.0.0.1"}} | changes
    secrets = {
        "shop": Secret(TOKEN, frozenset({"127.0.0.1"})),
        "other": Secret("x" * 9, frozenset({"elsewhere.example"})),
    }
    return Outgoing({host_of(str(server.make_url("/")))}, secrets, **values)


def tool_of(server: TestServer, **options: Any) -> tuple[HttpTool, Outgoing]:
    outgoing = sender(server)
    values: dict[str, Any] = {
        "name": "order",
        "description": "An order.",
        "url": str(server.make_url("/orders")) + "/{order_id}",
    }
    values |= {"parameters": {"order_id": {"type": "string"}, "part": {"type": "string"}}, "required": ["order_id"]}
    return http_tool(HttpOptions.read(values | options), outgoing), outgoing


async def test_arguments_take_their_places_and_cannot_leave_them(shop: TestServer) -> None:
    tool, outgoing = tool_of(shop, auth={"secret": "shop", "header": "Authorization", "prefix": "Bearer "})
    result = await tool.call({"order_id": "../admin?x=1#y", "part": "a&b=c"}, CONTEXT)
    assert result.output["path"] == "/orders/..%2Fadmin%3Fx%3D1%23y?part=a%26b%3Dc"
    # The secret was sent, and is not told although the server repeats it.
    assert result.output["headers"]["authorization"] == "Bearer [secret]"
    assert TOKEN not in str(tool.declaration)
    assert "cannot stand" in (await tool.call({"order_id": ".."}, CONTEXT)).error
    await outgoing.aclose()


async def test_a_call_that_acts_carries_its_idempotency_key(shop: TestServer) -> None:
    tool, outgoing = tool_of(shop, method="POST", idempotency_header="Idempotency-Key")
    assert tool.policy.effect == "keyed"
    result = await tool.call({"order_id": "7", "part": "all"}, CONTEXT)
    assert result.output["headers"]["idempotency-key"] == "key-of-the-call"
    assert result.output["body"] == {"part": "all"}
    assert tool_of(shop, method="POST")[0].policy.effect == "unkeyed"
    assert tool_of(shop)[0].policy.effect == "none"
    await outgoing.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://10.0.0.1/",
        "http://localhost/",
        "file:///etc/passwd",
        "http://user:pass@example.org/",
    ],
)
async def test_private_addresses_are_not_reached(url: str) -> None:
    outgoing = Outgoing({host_of(url), "169.254.169.254", "::1"})
    with pytest.raises((Forbidden, InvalidRequest)):
        await outgoing.send(Outbound("GET", url))
    await outgoing.aclose()


async def test_only_listed_hosts_are_reached_and_redirects_lead_nowhere(shop: TestServer) -> None:
    outgoing = sender(shop)
    with pytest.raises(Forbidden, match="may not reach"):
        await outgoing.send(Outbound("GET", "http://example.org/"))
    with pytest.raises(Forbidden, match="redirects"):
        await outgoing.send(Outbound("GET", str(shop.make_url("/status/302"))))
    with pytest.raises(Overloaded) as busy:
        await outgoing.send(Outbound("GET", str(shop.make_url("/status/429"))))
    assert busy.value.retry_after == 3
    with pytest.raises(UpstreamError, match="500"):
        await outgoing.send(Outbound("GET", str(shop.make_url("/status/500"))))
    with pytest.raises(InvalidRequest, match="404"):
        await outgoing.send(Outbound("GET", str(shop.make_url("/status/404"))))
    await outgoing.aclose()
    small = sender(shop, max_bytes=1000)
    with pytest.raises(UpstreamError, match="more than"):
        await small.send(Outbound("GET", str(shop.make_url("/long"))))
    await small.aclose()


async def test_a_secret_goes_to_its_own_hosts_alone(shop: TestServer) -> None:
    outgoing = sender(shop)
    with pytest.raises(Forbidden, match="not for"):
        await outgoing.send(Outbound("GET", str(shop.make_url("/x")), auth=(Auth("other", "X-Key"),)))
    await outgoing.aclose()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"url": "https://{host}/x"}, "host is fixed"),
        ({"url": "ftp://a/x"}, "http address"),
        ({"url": "https://a/{missing}"}, "missing"),
        ({"method": "BREW"}, "method"),
        ({"auth": {"secret": "s"}}, "auth"),
        ({"unknown": 1}, "unknown"),
        ({"name": "a b"}, "name"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], field: str) -> None:
    values = {"name": "n", "description": "d", "url": "https://a/x"}
    with pytest.raises(InvalidRequest, match=field):
        HttpOptions.read(values | options)


def document(server: str) -> dict[str, Any]:
    order = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
        },
        "required": ["lines"],
    }
    line = {
        "type": "object",
        "properties": {"item": {"type": "string"}, "inner": {"$ref": "#/components/schemas/Line"}},
    }
    ok = {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}}
    number = {
        "name": "order-id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "The number.",
    }
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 10}}
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}}
    return {
        "openapi": "3.1.0",
        "servers": [{"url": server}],
        "components": {"schemas": {"Order": order, "Line": line}, "parameters": {"Limit": limit}},
        "paths": {
            "/orders/{order-id}": {
                "parameters": [number],
                "get": {"operationId": "getOrder", "summary": "One order.", "responses": ok},
                "delete": {"operationId": "dropOrder", "responses": ok},
            },
            "/orders": {
                "get": {"operationId": "listOrders", "parameters": [{"$ref": "#/components/parameters/Limit"}], "responses": ok},
                "post": {"operationId": "makeOrder", "requestBody": body, "responses": ok},
            },
        },
    }  # fmt: skip


async def test_a_document_becomes_tools(shop: TestServer) -> None:
    spec = document(str(shop.make_url("/api/")))
    outgoing = sender(shop)
    reading = openapi.tools(OpenApiOptions.read({"spec": spec}), spec, outgoing)
    assert [each.declaration.name for each in reading] == ["getOrder", "listOrders"]
    options = OpenApiOptions.read({"spec": spec, "operations": ["*"], "prefix": "shop_"})
    every = {each.declaration.name: each for each in openapi.tools(options, spec, outgoing)}
    get, make = every["shop_getOrder"], every["shop_makeOrder"]
    assert get.declaration.parameters["required"] == ["order-id"]
    assert get.declaration.parameters["properties"]["order-id"]["description"] == "The number."
    assert (await get.call({"order-id": "a/b"}, CONTEXT)).output["path"] == "/api/orders/a%2Fb"
    assert (await every["shop_listOrders"].call({"limit": 3}, CONTEXT)).output["path"] == "/api/orders?limit=3"
    made = await make.call({"lines": [{"item": "x"}]}, CONTEXT)
    assert (made.output["method"], made.output["body"]) == ("POST", {"lines": [{"item": "x"}]})
    assert (get.policy.effect, make.policy.effect) == ("none", "unkeyed")
    assert "Line" in make.declaration.parameters["$defs"]
    await outgoing.aclose()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"openapi": "2.0"}, "OpenAPI 3"),
        ({"servers": [{"url": "/relative"}]}, "full address"),
        ({"servers": []}, "full address"),
        ({"paths": {}}, "no operation"),
        ({"paths": {"/a": {"get": {"parameters": [{"$ref": "http://x/y"}]}}}}, "outside"),
        ({"paths": {"/a": {"$ref": "#/paths/~1a"}}}, "circle"),
    ],
)
def test_a_wrong_document_is_refused(change: dict[str, Any], field: str) -> None:
    spec = document("https://shop.example/") | change
    options = OpenApiOptions.read({"spec": spec})

    def made() -> None:
        openapi.tools(options, openapi.read(options), Outgoing({"shop.example"}))

    with pytest.raises(InvalidRequest, match=field):
        made()
