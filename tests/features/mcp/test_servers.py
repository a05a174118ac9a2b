"""Servers of the configuration: their toolsets, their approvals and their tokens, over a whole system's stores."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from mainspring import stores
from mainspring.agents.tools.mcp.pins import SeenTool
from mainspring.core.errors import NotFound, SettingsError, UpstreamError
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.features.mcp.approvals import StoredPins
from mainspring.features.mcp.tokens import StoredTokens
from mainspring.features.mcp.toolsets import TOOLSETS
from tests.agents.tools.mcp.servers import kind, served

WHO = Context(Principal("default", "key"))


@asynccontextmanager
async def rooms(home: Path, **servers: Any) -> AsyncIterator[Any]:
    settings = Settings(home=home, mcp={"servers": servers})  # type: ignore[call-arg]
    async with stores.open(settings) as opened:
        yield SimpleNamespace(settings=settings, stores=opened)


async def test_an_agent_names_a_server_of_the_configuration_or_an_address(tmp_path: Path) -> None:
    async with served(kind().streamable_http_app()) as url, rooms(tmp_path, shop={"url": url}) as given:
        make = TOOLSETS["mcp"]
        tools = make(given, {"server": "shop", "tools": ["add"]})
        assert [each.declaration.name for each in await tools.tools(WHO)] == ["shop_add"]
        await tools.aclose()
        # A definition that somebody wrote reaches public addresses only.
        stranger = make(given, {"url": url})
        with pytest.raises(UpstreamError, match="no public address"):
            await stranger.tools(WHO)
        await stranger.aclose()
        for options, words in (
            ({"server": "shap"}, "shop"),
            ({"server": "shop", "url": url}, "mcp.servers.shop"),
            ({"command": ["rm", "-rf", "/"]}, "cannot start programs"),
            ({"url": "ftp://x"}, "not an http or https URL"),
            ({"url": "http://user:password@x/"}, "not an http or https URL"),
            ({"url": "https://x.example", "trust_hints": True}, "mcp.trust_hints"),
            ({"url": "https://x.example", "oauth": {}}, "mcp.oauth"),
            ({}, "url"),
        ):
            with pytest.raises(SettingsError, match=words):
                make(given, options)


async def test_approvals_outlive_the_process(tmp_path: Path) -> None:
    old, new = SeenTool("look", "1", "Look."), SeenTool("look", "2", "Look and send.")
    async with rooms(tmp_path) as given:
        pins = StoredPins(given.stores.database)
        await pins.approve("shop", (old,), first=True)
        await pins.approve("shop", (new,), first=True)
        assert await pins.approved("shop") == {"look": "1"}
        await pins.waiting("shop", (new,))
    async with rooms(tmp_path) as given:
        pins = StoredPins(given.stores.database)
        assert await pins.approved("shop") == {"look": "1"}
        (row,) = await pins.told("shop")
        assert (row["waiting"], row["description"]) == ("2", "Look and send.")
        with pytest.raises(NotFound, match="other"):
            await pins.accept("shop", frozenset(("other",)))
        assert await pins.accept("shop", frozenset()) == ["look"]
        assert await pins.approved("shop") == {"look": "2"}
        with pytest.raises(NotFound):
            await pins.accept("shop", frozenset())
        await pins.waiting("shop", (SeenTool("look", "3", ""),))
        await pins.waiting("shop", ())
        with pytest.raises(NotFound):
            await pins.accept("shop", frozenset())


async def test_tokens_are_encrypted_and_count_down(tmp_path: Path) -> None:
    token = OAuthToken(access_token="very-secret", refresh_token="more-secret", expires_in=3600)
    async with rooms(tmp_path) as given:
        kept = StoredTokens(given.stores.credentials, "shop")
        assert await kept.get_tokens() is None
        await kept.set_tokens(token)
        await kept.set_client_info(OAuthClientInformationFull(client_id="me", redirect_uris=None))
    with sqlite3.connect(next(tmp_path.rglob("*.db"))) as database:
        assert "-secret" not in "\n".join(database.iterdump())
    async with rooms(tmp_path) as given:
        kept = StoredTokens(given.stores.credentials, "shop")
        found = await kept.get_tokens()
        assert found is not None
        assert found.access_token == "very-secret"
        assert 3500 < (found.expires_in or 0) <= 3600
        client = await kept.get_client_info()
        assert client is not None
        assert client.client_id == "me"
        assert await kept.forget()
        assert await kept.get_tokens() is None
        assert not await kept.forget()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "either url or command"),
        ({"url": "https://x.example", "command": ["x"]}, "either url or command"),
        ({"command": ["x"], "headers": {"a": "b"}}, "headers and oauth belong to a url"),
        ({"url": "https://x.example", "oauth": {"grant": "client_credentials"}}, "issuer"),
        ({"url": "https://x.example", "oauth": {"client_id": "a", "client_secret": "b"}}, "issuer"),
    ],
)
def test_settings_that_cannot_work_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(mcp={"servers": {"shop": given}})  # type: ignore[call-arg]
