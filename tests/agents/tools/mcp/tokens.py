"""Tokens of this process."""

from __future__ import annotations

from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken


class MemoryTokens:
    def __init__(self) -> None:
        self.token: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None
        self.metadata: OAuthMetadata | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.token

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.token = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info

    async def get_metadata(self) -> OAuthMetadata | None:
        return self.metadata

    async def set_metadata(self, metadata: OAuthMetadata) -> None:
        self.metadata = metadata
