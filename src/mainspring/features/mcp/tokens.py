"""Tokens of other servers, encrypted like all credentials: ``mcp.NAME.token`` and its kin."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import orjson
from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken
from pydantic import BaseModel, ValidationError

from mainspring.core.errors import NotFound
from mainspring.stores.keys.credentials import Credentials


class StoredTokens:
    """The storage that the protocol's library asks for, over our credentials."""

    def __init__(self, credentials: Credentials, server: str) -> None:
        self._credentials = credentials
        self._server = server

    async def get_tokens(self) -> OAuthToken | None:
        found = await self._read("token")
        if found is None:
            return None
        until = found.pop("until", None)
        with suppress(ValidationError):
            token = OAuthToken.model_validate(found)
            if until is not None:
                # The library counts from when it reads it.
                token.expires_in = max(0, int(until - time.time()))
            return token
        return None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        until = None if tokens.expires_in is None else time.time() + tokens.expires_in
        await self._write("token", {**_dumped(tokens), "until": until})

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        found = await self._read("client")
        with suppress(ValidationError):
            return None if found is None else OAuthClientInformationFull.model_validate(found)
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        await self._write("client", _dumped(client_info))

    async def get_metadata(self) -> OAuthMetadata | None:
        found = await self._read("issuer")
        with suppress(ValidationError):
            return None if found is None else OAuthMetadata.model_validate(found)
        return None

    async def set_metadata(self, metadata: OAuthMetadata) -> None:
        await self._write("issuer", _dumped(metadata))

    async def forget(self) -> bool:
        """Whether there was a token."""
        gone = False
        for what in ("token", "client", "issuer"):
            with suppress(NotFound):
                await self._credentials.remove(self._name(what))
                gone = gone or what == "token"
        return gone

    def _name(self, what: str) -> str:
        return f"mcp.{self._server}.{what}"

    async def _read(self, what: str) -> dict[str, Any] | None:
        try:
            found = orjson.loads(await self._credentials.reveal(self._name(what)))
        except (NotFound, orjson.JSONDecodeError):
            return None
        return found if isinstance(found, dict) else None

    async def _write(self, what: str, value: dict[str, Any]) -> None:
        # ASCII, since a credential holds no character that cannot be printed.
        import json

        await self._credentials.set(self._name(what), json.dumps(value, ensure_ascii=True))


def _dumped(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)
