"""Our client, as the suite starts it: ``python -m tests.mcp_conformance.client URL``.

The suite names the scenario and its context in the environment. What is under test is the connection that agents use,
with its network rules and its logins; a person who logs in is played by a browser that follows one redirect.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import mcp.types as types
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.utils import build_protected_resource_metadata_discovery_urls
from mcp.client.context import ClientRequestContext
from mcp.shared.auth import AuthorizationCodeResult

from mainspring.agents.tools.base import ToolContext
from mainspring.agents.tools.mcp.connection import Connection
from mainspring.agents.tools.mcp.oauth import provider
from mainspring.agents.tools.mcp.pins import MemoryPins
from mainspring.agents.tools.mcp.settings import McpOAuthSettings, McpServerSettings
from mainspring.agents.tools.mcp.tool import McpTool
from mainspring.agents.tools.mcp.toolset import McpToolset
from mainspring.core.errors import UpstreamError
from mainspring.core.types import Context, Principal
from tests.agents.tools.mcp.tokens import MemoryTokens

WHO = Context(Principal("default", "suite"))
CIMD = "https://conformance-test.local/client-metadata.json"
RETURN = "http://localhost:3000/callback"


async def with_defaults(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ElicitResult | types.ErrorData:
    """The user takes what is proposed."""
    schema = params.requested_schema if isinstance(params, types.ElicitRequestFormParams) else {}
    properties = schema.get("properties", {})
    content = {name: each["default"] for name, each in properties.items() if "default" in each}
    if "confirmed" in properties:
        content["confirmed"] = True
    return types.ElicitResult(action="accept", content=content)


class Browser:
    """A person who logs in at once."""

    def __init__(self) -> None:
        self._came: dict[str, str] = {}

    async def redirect(self, url: str) -> None:
        async with httpx2.AsyncClient() as client:
            answer = await client.get(url, follow_redirects=False)
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        self._came = {name: values[0] for name, values in query.items()}

    async def returned(self) -> AuthorizationCodeResult:
        came = self._came
        return AuthorizationCodeResult(code=came["code"], state=came.get("state"), iss=came.get("iss"))


async def login(url: str, context: dict[str, Any]) -> OAuthClientProvider:
    browser = Browser()
    given: dict[str, Any] = {"client_metadata_url": CIMD}
    if client_id := context.get("client_id"):
        # Whoever has a secret from somebody knows whose it is.
        (found,) = build_protected_resource_metadata_discovery_urls(None, url)[:1]
        async with httpx2.AsyncClient() as client:
            issuer = (await client.get(found)).json()["authorization_servers"][0]
        given = {"client_id": client_id, "client_secret": context.get("client_secret", ""), "issuer": issuer}
    return provider(
        "suite",
        url,
        McpOAuthSettings(**given),
        MemoryTokens(),
        redirect_uri=RETURN,
        redirect=browser.redirect,
        returned=browser.returned,
    )


async def call(tools: McpToolset, connection: Connection, name: str, arguments: dict[str, Any]) -> None:
    """A call as an agent makes it; what it says of a failure is for the model."""
    found = {each.own_name: each for each in await tools.tools(WHO) if isinstance(each, McpTool)}
    if name in found:
        try:
            told = await found[name].call(arguments, ToolContext(WHO, "run", "call", "key", "suite", {}))
            print(name, told.error or told.output, file=sys.stderr)
        except UpstreamError as error:
            print(name, error, file=sys.stderr)


def stubbed(schema: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[str, Any] = {"string": "x", "integer": 0, "number": 0, "boolean": False, "object": {}, "array": []}
    properties = schema.get("properties", {})
    return {name: kinds.get(properties.get(name, {}).get("type"), "x") for name in schema.get("required", [])}


CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "tools_call": [("add_numbers", {"a": 5, "b": 3})],
    "request-metadata": [("add_numbers", {"a": 5, "b": 3})],
    "http-standard-headers": [("add_numbers", {"a": 5, "b": 3})],
    "sse-retry": [("test_reconnection", {})],
    "elicitation-sep1034-client-defaults": [("test_client_elicitation_defaults", {})],
    "sep-2322-client-request-state": [
        ("test_mrtr_echo_state", {}),
        ("test_mrtr_unrelated", {}),
        ("test_mrtr_no_state", {}),
        ("test_mrtr_no_result_type", {}),
    ],
}


async def main(url: str) -> None:
    scenario = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    settings = McpServerSettings(url=url, timeout_s=20, connect_timeout_s=20)
    auth = await login(url, context) if scenario.startswith("auth/") else None
    connection = Connection("suite", settings, auth=auth, elicit=with_defaults)
    tools = McpToolset("suite", settings, connection, MemoryPins())
    try:
        listed = await tools.tools(WHO)
        own = [each for each in listed if isinstance(each, McpTool)]
        if scenario == "http-custom-headers":
            for each in context.get("toolCalls", []):
                await call(tools, connection, each["name"], each.get("arguments") or {})
        elif scenario == "http-invalid-tool-headers" or auth is not None:
            for tool in own:
                await call(tools, connection, tool.own_name, stubbed(dict(tool.declaration.parameters)))
        for name, arguments in CALLS.get(scenario, []):
            await call(tools, connection, name, arguments)
    finally:
        await tools.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
