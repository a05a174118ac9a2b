"""A login in a browser: a token comes, is kept, is renewed by another process, and its end is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from mainspring import stores
from mainspring.agents.tools.mcp.settings import McpServerSettings
from mainspring.core.errors import InvalidRequest, UpstreamError
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.features.mcp.login import login
from mainspring.features.mcp.servers import opened
from mainspring.features.mcp.tokens import StoredTokens
from tests.agents.tools.mcp.servers import discovered, listed, scripted, served

WHO = Context(Principal("default", "key"))


class Provider:
    """A server with a login, and who gives out tokens for it."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.challenges: dict[str, str] = {}
        self.grants: list[str] = []
        self.refreshes = True
        self.lifetime = 3600

    async def answer(self, request: Request, message: dict[str, Any]) -> Response:
        base = f"http://{request.headers['host']}"
        path, query = request.url.path, dict(request.query_params)
        if "oauth-protected-resource" in path:
            return _json({"resource": f"{base}/mcp", "authorization_servers": [base], "scopes_supported": ["read"]})
        if "well-known" in path:
            return _json(_metadata(base))
        if path == "/register":
            return _json({**message, "client_id": "registered"}, 201)
        if path == "/authorize":
            self.challenges["the-code"] = query["code_challenge"]
            back = f"{query['redirect_uri']}?code=the-code&state={query['state']}&iss={base}"
            return Response(status_code=302, headers={"location": back})
        if path == "/token":
            return await self._token(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.good:
            where = f'Bearer resource_metadata="{base}/.well-known/oauth-protected-resource/mcp"'
            return Response(status_code=401, headers={"www-authenticate": where})
        begun = discovered(message)
        return begun if begun is not None else listed(message, {"name": "look"})

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.grants.append(form["grant_type"])
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenges[form["code"]]
        elif not self.refreshes:
            return _json({"error": "invalid_grant"}, 400)
        token = f"token-{len(self.grants)}"
        self.good = {token}
        told = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime, "refresh_token": "again"}
        return _json(told)


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")


def _metadata(base: str) -> dict[str, Any]:
    return {
        "issuer": base,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "registration_endpoint": f"{base}/register",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


@asynccontextmanager
async def place(home: Path) -> AsyncIterator[tuple[Provider, McpServerSettings, stores.Stores]]:
    provider = Provider()
    async with (
        served(scripted(provider.answer)) as url,
        stores.open(Settings(home=home)) as kept,
    ):
        yield provider, McpServerSettings(url=url, oauth={}), kept


async def log_in(settings: McpServerSettings, kept: stores.Stores, came: str = "") -> int:
    """As a person with a browser; ``came`` is what comes back in place of the provider's words."""
    tasks: list[asyncio.Task[Any]] = []

    async def browse(url: str) -> None:
        async with httpx2.AsyncClient() as client:
            back = (await client.get(url)).headers["location"]
            if came:
                back = back.partition("?")[0] + came
            page = await client.get(back)
            assert page.status_code == (200 if not came else 400)

    return await login(
        "shop",
        settings,
        StoredTokens(kept.credentials, "shop"),
        lambda url: tasks.append(asyncio.ensure_future(browse(url))),
    )


async def tools(settings: McpServerSettings, kept: stores.Stores) -> list[str]:
    """What another process sees."""
    toolset = opened(kept, "shop", settings)
    try:
        return [each.declaration.name for each in await toolset.tools(WHO)]
    finally:
        await toolset.aclose()


async def test_a_token_is_kept_and_renewed(tmp_path: Path) -> None:
    async with place(tmp_path) as (provider, settings, kept):
        with pytest.raises(UpstreamError, match=r"wants a login.*mainspring mcp login shop"):
            await tools(settings, kept)
        provider.lifetime = 3600
        assert await log_in(settings, kept) == 1
        assert await tools(settings, kept) == ["shop_look"]
        assert provider.grants == ["authorization_code"]
        # It ends, and another process renews it where it came from.
        tokens = StoredTokens(kept.credentials, "shop")
        token = await tokens.get_tokens()
        assert token is not None
        token.expires_in = -1
        await tokens.set_tokens(token)
        assert await tools(settings, kept) == ["shop_look"]
        assert provider.grants == ["authorization_code", "refresh_token"]
        # It is taken back, and nobody is there to log in.
        provider.good, provider.refreshes = set(), False
        with pytest.raises(UpstreamError, match="mainspring mcp login shop"):
            await tools(settings, kept)


@pytest.mark.parametrize("came", ["?error=access_denied", "?code=other&state=forged"])
async def test_a_login_that_is_refused_or_forged_keeps_nothing(tmp_path: Path, came: str) -> None:
    async with place(tmp_path) as (provider, settings, kept):
        began = time.monotonic()
        with pytest.raises(UpstreamError):
            await (_forged(settings, kept, came) if "forged" in came else log_in(settings, kept, came))
        assert time.monotonic() - began < 60
        assert provider.grants == []
        assert await StoredTokens(kept.credentials, "shop").get_tokens() is None


async def _forged(settings: McpServerSettings, kept: stores.Stores, came: str) -> None:
    """Somebody else's page sends the browser to us with a code of its own."""
    tasks: list[Any] = []

    async def browse(url: str) -> None:
        async with httpx2.AsyncClient() as client:
            back = parse_qs(urlsplit(url).query)["redirect_uri"][0]
            await client.get(back + came)

    await login(
        "shop",
        settings,
        StoredTokens(kept.credentials, "shop"),
        lambda url: tasks.append(asyncio.ensure_future(browse(url))),
    )


async def test_a_server_without_a_login_is_named(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as kept:
        with pytest.raises(InvalidRequest, match=r"mcp\.servers\.shop has no login"):
            await log_in(McpServerSettings(url="http://127.0.0.1:1/mcp"), kept)
