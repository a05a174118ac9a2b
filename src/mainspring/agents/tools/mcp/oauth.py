"""OAuth of servers: a person logs in once, or this server has a secret of its own. Tokens are kept and renewed.

The protocol's library does the flows (authorization code with PKCE, client credentials, discovery, registration). What
is added here is what must outlive a process: until when a token is good, and where it is renewed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from mainspring.agents.tools.mcp.settings import McpOAuthSettings
from mainspring.core.errors import UpstreamError

Redirect = Callable[[str], Awaitable[None]]
Returned = Callable[[], Awaitable[AuthorizationCodeResult]]


class Tokens(Protocol):
    """Where the tokens of one server are kept."""

    async def get_tokens(self) -> OAuthToken | None: ...

    async def set_tokens(self, tokens: OAuthToken) -> None: ...

    async def get_client_info(self) -> OAuthClientInformationFull | None: ...

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None: ...

    async def get_metadata(self) -> OAuthMetadata | None: ...

    async def set_metadata(self, metadata: OAuthMetadata) -> None: ...


class _Registered:
    """The tokens of a client whose id is in the configuration."""

    def __init__(self, inner: Tokens, settings: McpOAuthSettings, redirect: str) -> None:
        self._inner = inner
        self._client = OAuthClientInformationFull(
            client_id=settings.client_id,
            client_secret=settings.client_secret or None,
            redirect_uris=[AnyUrl(redirect)],
            token_endpoint_auth_method="client_secret_basic" if settings.client_secret else "none",
            issuer=settings.issuer or None,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """The configuration has it."""


class StoredOAuth(OAuthClientProvider):
    """A login whose token is renewed also by another process than the one in which a person logged in.
    ``wants_login``: it could not be renewed."""

    wants_login = False

    async def _initialize(self) -> None:
        await super()._initialize()
        context, storage = self.context, self.context.storage
        if context.current_tokens is not None:
            context.update_token_expiry(context.current_tokens)
            context.oauth_metadata = await storage.get_metadata()  # type: ignore[attr-defined]

    async def _handle_token_response(self, response: Any) -> None:
        await super()._handle_token_response(response)
        if self.context.oauth_metadata is not None:
            await self.context.storage.set_metadata(self.context.oauth_metadata)  # type: ignore[attr-defined]


def provider(
    name: str,
    url: str,
    settings: McpOAuthSettings,
    tokens: Tokens,
    *,
    redirect_uri: str = "http://127.0.0.1/callback",
    redirect: Redirect | None = None,
    returned: Returned | None = None,
) -> OAuthClientProvider:
    """Puts tokens on requests to the server ``name``. Without ``redirect`` nobody can log in: a missing or dead token
    is an error that names the command for it."""
    scope = " ".join(settings.scopes) or None
    if settings.grant == "client_credentials":
        return ClientCredentialsOAuthProvider(
            server_url=url,
            storage=tokens,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            scope=scope,
            issuer=settings.issuer,
        )
    metadata = OAuthClientMetadata(
        client_name="mainspring",
        redirect_uris=[AnyUrl(redirect_uri)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope=scope,
    )
    storage: Any = _Registered(tokens, settings, redirect_uri) if settings.client_id else tokens

    async def nobody(_: str) -> None:
        made.wants_login = True
        raise login_wanted(name)

    async def never() -> AuthorizationCodeResult:
        raise login_wanted(name)

    made = StoredOAuth(
        server_url=url,
        client_metadata=metadata,
        storage=storage,
        redirect_handler=redirect or nobody,
        callback_handler=returned or never,
        client_metadata_url=settings.client_metadata_url or None,
    )
    return made


def login_wanted(name: str) -> UpstreamError:
    return UpstreamError(f"the MCP server {name} wants a login", remedy=f"Run `mainspring mcp login {name}`")
