"""The server at `/mcp`, asked by the official client over our own HTTP application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from mainspring.core.settings import GatewaySettings, ServingSettings
from mainspring.features.mcp.settings import McpSettings
from tests.features.mcp.clients import RED, VERSIONS, a_world, connected
from tests.world import Key, World


async def call(world: World, key: Key | None, body: Any, **headers: str) -> httpx.Response:
    sent = {
        "host": "localhost",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2026-07-28",
        **({"mcp-method": body["method"]} if isinstance(body, dict) and "method" in body else {}),
        **({"authorization": f"Bearer {key.secret}"} if key else {}),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return await world.client.post("/mcp", json=body, headers=sent)


LIST = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/list",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}


@pytest.mark.parametrize("mode", VERSIONS)
async def test_tools_search_and_cite_and_their_passages_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    async with a_world(tmp_path, monkeypatch) as world:
        red = world.keys["red"]
        doc = await world.add(red, await world.store(red, "shelf"), frozenset())
        async with connected(world, red, mode) as client:
            assert client.protocol_version == ("2025-11-25" if mode == "legacy" else mode)
            names = [each.name for each in (await client.list_tools()).tools]
            assert names[:5] == ["search", "ask", "chat", "list_collections", "list_models"]

            found = await client.call_tool("search", {"collection": "shelf", "query": doc.topic})
            first = found.structured_content["results"][0]
            assert doc.mark in first["text"]
            passage = await client.read_resource(first["uri"])
            assert passage.contents[0].text == first["text"]  # type: ignore[union-attr]

            answer = await client.call_tool(
                "ask", {"question": f"What do we know about {doc.topic}?", "collection": "shelf"}
            )
            assert doc.mark in answer.structured_content["text"]
            cited = answer.structured_content["citations"][0]
            assert (await client.read_resource(cited["uri"])).contents[0].text == cited["quote"]  # type: ignore[union-attr]
            # The answer was recorded by the request ring, under the same id.
            record = await world.call(red, "GET", f"/v1/events?answer_id={answer.structured_content['answer_id']}")
            assert record.json()["data"]

            said = await client.call_tool("chat", {"model": "parrot", "message": "good morning"})
            assert "good morning" in said.content[0].text  # type: ignore[union-attr]


@pytest.mark.slow
async def test_another_tenant_and_another_group_see_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world(tmp_path, monkeypatch) as world:
        red, both = world.keys["red"], world.keys["both"]
        store = await world.store(both, "secret", RED)
        doc = await world.add(both, store, RED)
        uri = f"mainspring://collections/{store}/documents/{doc.file_id}"
        for key, sees in ((red, True), (world.keys["blue"], False), (world.keys["stranger"], False)):
            async with connected(world, key) as client:
                listed = [each.uri for each in (await client.list_resources()).resources]
                assert (uri in listed) == sees
                collections = (await client.call_tool("list_collections", {})).structured_content["data"]
                assert [each["name"] for each in collections] == (["secret"] if sees else [])
                found = await client.call_tool("search", {"collection": store, "query": doc.topic})
                assert found.is_error == (not sees)
                completed = await client.complete(
                    ResourceTemplateReference(type="ref/resource", uri="mainspring://collections/{collection}"),
                    {"name": "collection", "value": "se"},
                )
                assert completed.completion.values == (["secret"] if sees else [])
                if sees:
                    assert doc.mark in (await client.read_resource(uri)).contents[0].text  # type: ignore[union-attr]
                else:
                    with pytest.raises(MCPError, match="no"):
                        await client.read_resource(uri)


@pytest.mark.slow
async def test_a_long_list_comes_in_pages_and_misses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world(tmp_path, monkeypatch, McpSettings(page=2)) as world:
        red = world.keys["red"]
        homes = [await world.store(red, name) for name in ("first", "empty", "last")]
        docs = [await world.add(red, homes[0], frozenset()) for _ in range(3)]
        docs.append(await world.add(red, homes[2], frozenset()))
        async with connected(world, red) as client:
            seen: list[str] = []
            cursor: str | None = None
            while True:
                page = await client.list_resources(cursor=cursor)
                assert len(page.resources) <= 2
                seen += [each.uri for each in page.resources]
                cursor = page.next_cursor
                if cursor is None:
                    break
            wanted = {f"mainspring://collections/{home}" for home in homes}
            wanted |= {f"mainspring://collections/{doc.store}/documents/{doc.file_id}" for doc in docs}
            assert len(seen) == len(set(seen))
            assert set(seen) == wanted
            with pytest.raises(MCPError, match="cursor"):
                await client.list_resources(cursor="nonsense")


async def test_prompts_are_shown_to_their_editors_and_by_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_world(tmp_path, monkeypatch, McpSettings(prompts=("greeting",))) as world:
        editor = world.keys["red"]
        for name in ("greeting", "secret", "draft"):
            await world.call(editor, "POST", f"/v1/prompts/{name}/versions", {"template": "Say hello to {{ who }}."})
            if name != "draft":
                await world.call(editor, "PUT", f"/v1/prompts/{name}/labels/production", {"version": 1})
        _, secret = await world.system.stores.keys.create("reader", tenant="default", scopes=frozenset({"chat"}))
        reader = Key("reader", "default", frozenset(), secret)
        for key, names in ((editor, ["greeting", "secret"]), (reader, ["greeting"])):
            async with connected(world, key) as client:
                assert [each.name for each in (await client.list_prompts()).prompts] == names
                told = await client.get_prompt("greeting", {"who": "Ada"})
                assert told.messages[0].content.text == "Say hello to Ada."  # type: ignore[union-attr]
                with pytest.raises(MCPError, match="who"):
                    await client.get_prompt("greeting", {})
                completed = await client.complete(
                    PromptReference(type="ref/prompt", name="greeting"), {"name": "who", "value": "A"}
                )
                assert completed.completion.values == []
        async with connected(world, reader) as client:
            with pytest.raises(MCPError, match="Unknown prompt"):
                await client.get_prompt("secret", {"who": "Ada"})


@pytest.mark.slow
async def test_no_key_no_scope_and_no_strange_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = McpSettings(hosts=("mcp.example.com",), origins=("https://app.example.org",))
    async with a_world(tmp_path, monkeypatch, settings) as world:
        red = world.keys["red"]
        _, secret = await world.system.stores.keys.create("embeds", tenant="default", scopes=frozenset({"embed"}))
        assert (await call(world, None, LIST)).status_code == 401
        assert (await call(world, Key("embeds", "default", frozenset(), secret), LIST)).status_code == 403
        assert (await call(world, red, LIST)).status_code == 200
        for host, origin, passes in (
            ("localhost:8000", None, True),
            ("localhost:8000", "http://localhost:3000", True),
            ("mcp.example.com", "https://mcp.example.com", True),
            ("mcp.example.com", "https://app.example.org", True),
            ("evil.example", None, False),
            ("evil.example", "http://evil.example", False),
            ("localhost", "https://evil.example", False),
            ("localhost", "null", False),
            ("localhost.evil.example", None, False),
        ):
            headers = {"host": host} | ({"origin": origin} if origin else {})
            answer = await call(world, red, LIST, **headers)
            assert answer.status_code == (200 if passes else 403), (host, origin)


async def test_tokens_are_told_of_where_there_is_a_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oidc = {"issuer": "https://id.example.com", "audience": ["mainspring"], "jwks_url": "https://id.example.com/keys"}
    async with a_world(tmp_path, monkeypatch, gateway=GatewaySettings(oidc=oidc)) as world:
        refused = await call(world, None, LIST)
        told = "http://localhost/.well-known/oauth-protected-resource/mcp"
        assert f'resource_metadata="{told}"' in refused.headers["www-authenticate"]
        metadata = (await world.client.get(told, headers={"host": "localhost"})).json()
        assert metadata["resource"] == "http://localhost/mcp"
        assert metadata["authorization_servers"] == ["https://id.example.com"]


async def test_a_session_belongs_to_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    async with a_world(tmp_path, monkeypatch, McpSettings(sessions=1)) as world:
        red, blue, stranger = (world.keys[name] for name in ("red", "blue", "stranger"))
        begun = await call(world, red, opening, mcp_protocol_version="2025-11-25")
        session = begun.headers["mcp-session-id"]
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        for key, status in ((red, 200), (blue, 404), (stranger, 404)):
            answer = await call(world, key, ping, mcp_protocol_version="2025-11-25", mcp_session_id=session)
            assert answer.status_code == status, key.name
        # The tenant's sessions are used up, and another tenant's are not.
        assert (await call(world, blue, opening, mcp_protocol_version="2025-11-25")).status_code == 503
        assert (await call(world, stranger, opening, mcp_protocol_version="2025-11-25")).status_code == 200


@pytest.mark.parametrize("mode", VERSIONS)
async def test_wrong_arguments_are_told_to_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    async with a_world(tmp_path, monkeypatch) as world, connected(world, world.keys["red"], mode) as client:
        for arguments, words in (
            ({"collection": "x"}, "query"),
            ({"collection": "x", "query": "y", "limit": 3}, "limit"),
            ({"collection": "nowhere", "query": "y"}, "nowhere"),
        ):
            told = await client.call_tool("search", arguments)
            assert told.is_error
            assert words in told.content[0].text  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("rm", {})


async def test_requests_count_to_the_limits_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = ServingSettings(requests_per_minute=3)
    async with (
        a_world(tmp_path, monkeypatch, serving=limited) as world,
        connected(world, world.keys["red"]) as client,
    ):
        refused = [(await client.call_tool("list_models", {})).is_error for _ in range(5)]
        assert refused == [False, False, False, True, True]
        with pytest.raises(MCPError) as told:
            await client.list_resources()
        assert told.value.error.data["code"] == "rate_limit_exceeded"


async def test_bodies_are_no_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world(tmp_path, monkeypatch) as world:
        red = world.keys["red"]
        for content in (b"[" * 100_000, b"{", b"\xff\xfe", b'{"jsonrpc":"2.0","id":1' + b"0" * 5000 + b"}"):
            headers = {"authorization": f"Bearer {red.secret}", "host": "localhost"}
            headers |= {"accept": "application/json, text/event-stream", "content-type": "application/json"}
            headers["mcp-protocol-version"] = "2026-07-28"
            answer = await world.client.post("/mcp", content=content, headers=headers)
            assert answer.status_code == 400
            assert json.loads(answer.content)["error"]["code"] in (-32700, -32600)
