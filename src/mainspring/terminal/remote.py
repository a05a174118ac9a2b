"""A running server, as commands that speak to it see it."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from mainspring.core.errors import MainspringError, NotFound, Unauthenticated

_TIMEOUT_S = 30.0
# Between two parts of an answer that a model writes.
_ANSWER_S = 300.0
# A server that listens on all addresses is asked at the local one.
_HERE = frozenset({"localhost", "::1", "0.0.0.0", "::"})  # noqa: S104


class ServerRefused(MainspringError):
    """The server answered with an error, which is reported in its own words."""

    code = "server_refused"


class ServerLacks(ServerRefused):
    """What was asked for is not there."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens and a key of it: ``MAINSPRING_URL`` (default: this configuration's address) and
    ``MAINSPRING_API_KEY``."""

    url: str
    key: str

    @classmethod
    def of(cls, context: typer.Context) -> Server:
        """Raises ``Unauthenticated`` without a key."""
        from mainspring.core.settings import load

        loaded = load(context.obj)
        gateway = loaded.settings.gateway
        key = loaded.environment.get("MAINSPRING_API_KEY", "")
        if not key:
            raise Unauthenticated(
                "this command needs a key of the running server",
                remedy="Set MAINSPRING_API_KEY to an admin key",
            )
        return cls(loaded.environment.get("MAINSPRING_URL") or gateway.url, key)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The JSON answer. Raises ``NotFound`` when no server listens and ``ServerRefused`` when the server refuses."""
        with self.opened(method, path, body, _TIMEOUT_S) as answer:
            return json.load(answer)

    @contextmanager
    def opened(self, method: str, path: str, body: object = None, timeout_s: float = _ANSWER_S) -> Iterator[Any]:
        """The answer piece by piece, within the block. Raises ``NotFound``, ``ServerRefused``."""
        data = None if body is None else json.dumps(body).encode()
        with self._sent(method, path, data, "application/json", timeout_s) as answer:
            yield answer

    def upload(self, file: Path, purpose: str) -> Any:
        """The file object of an uploaded file. Raises ``NotFound``, ``ServerRefused``."""
        mark = secrets.token_hex(16)
        name = file.name.replace('"', "_").replace("\n", "_").replace("\r", "_")
        head = f'--{mark}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n--{mark}\r\n'
        head += f'content-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        data = head.encode() + file.read_bytes() + f"\r\n--{mark}--\r\n".encode()
        with self._sent("POST", "/v1/files", data, f"multipart/form-data; boundary={mark}", _ANSWER_S) as answer:
            return json.load(answer)

    @contextmanager
    def _sent(self, method: str, path: str, data: bytes | None, kind: str, timeout_s: float) -> Iterator[Any]:
        headers = {"authorization": f"Bearer {self.key}", "content-type": kind}
        request = urllib.request.Request(self.url.rstrip("/") + path, data, headers, method=method)  # noqa: S310
        try:
            with reach(request, timeout_s) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            raise (ServerLacks if error.code == 404 else ServerRefused)(_reason(error)) from None
        except OSError as error:
            raise NotFound(
                f"no server answers at {self.url}: {getattr(error, 'reason', error)}",
                remedy="Start it with `mainspring up`, or set MAINSPRING_URL",
            ) from None


def running_server(context: typer.Context) -> Server | None:
    """The server that ``MAINSPRING_API_KEY`` opens; None without a key, or if none listens at this configuration's
    address. Raises ``NotFound`` if ``MAINSPRING_URL`` names a server that does not answer."""
    from mainspring.core.settings import load

    environment = load(context.obj).environment
    if not environment.get("MAINSPRING_API_KEY"):
        return None
    server = Server.of(context)
    try:
        server.call("GET", "/v1/models")
    except NotFound:
        if environment.get("MAINSPRING_URL"):
            raise
        return None
    return server


def reach(request: urllib.request.Request, timeout_s: float) -> Any:
    """The answer to ``request``. Raises ``OSError``; an answer that is an error is ``urllib.error.HTTPError``."""
    host = (urllib.parse.urlsplit(request.full_url).hostname or "").lower()
    # No proxy reaches this machine, and none should get its key.
    proxies = urllib.request.ProxyHandler({} if host.startswith("127.") or host in _HERE else None)
    # Not urlopen, which remembers the proxies of its first call for the whole process.
    return urllib.request.build_opener(proxies).open(request, timeout=timeout_s)


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {error.code}"
