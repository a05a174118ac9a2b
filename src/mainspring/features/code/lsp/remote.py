"""A running server as the language server sees it: workspaces, completions, actions and chat over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

_TIMEOUT = aiohttp.ClientTimeout(total=300, connect=10)
_FILES, _CHARACTERS = 200, 2_000_000


class Refused(Exception):
    """The server refused, in its own words; ``status`` 0: it did not answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class RemoteCode:
    """The server at ``url`` with a key of it."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {key}"}
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The JSON answer. Raises ``Refused``."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT)
        try:
            async with self._session.request(method, self._url + path, json=body) as answer:
                said = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Refused(f"no server answers at {self._url}: {error}") from None
        if answer.status >= 400:
            told = said.get("error", {}) if isinstance(said, dict) else {}
            raise Refused(str(told.get("message", f"the server answered {answer.status}")), answer.status)
        return said

    async def workspace(self, name: str) -> str:
        """The id of the workspace of that name, which is made if there is none."""
        return str((await self.call("POST", "/v1/code/workspaces", {"name": name}))["id"])

    async def sync(self, workspace: str, hashes: Mapping[str, str]) -> list[str]:
        """The files to send."""
        said = await self.call("POST", f"/v1/code/workspaces/{workspace}/sync", {"files": dict(hashes)})
        return list(said["wanted"])

    async def put(self, workspace: str, files: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """Index files (paths and texts), some at a time; what became of each."""
        verdicts: list[dict[str, Any]] = []
        part: list[dict[str, str]] = []
        size = 0
        for path, text in files:
            if part and (len(part) >= _FILES or size + len(text) > _CHARACTERS):
                verdicts += await self._put(workspace, part)
                part, size = [], 0
            part.append({"path": path, "text": text})
            size += len(text)
        return verdicts + (await self._put(workspace, part) if part else [])

    async def _put(self, workspace: str, files: list[dict[str, str]]) -> list[dict[str, Any]]:
        said = await self.call("POST", f"/v1/code/workspaces/{workspace}/files", {"files": files})
        return list(said["data"])

    async def forget(self, workspace: str, path: str) -> None:
        """Take a file out of the index; nothing if it is not there."""
        try:
            await self.call("DELETE", f"/v1/code/workspaces/{workspace}/files/{path}")
        except Refused as error:
            if error.status != 404:
                raise

    async def close(self) -> None:
        """End its connections."""
        if self._session is not None:
            await self._session.close()
