"""Requests of tools to servers: to listed hosts, at public addresses, with secrets that no model sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from mainspring.core.errors import Forbidden, InvalidRequest, MainspringError, Overloaded, UpstreamError
from mainspring.core.version import __version__
from mainspring.rag.connect import fetch

_SHOWN = "[secret]"
_MOST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that goes to these ``hosts`` alone."""

    value: str
    hosts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Auth:
    """How a request is authorised: the secret ``name`` in a header or a parameter of the query, after ``prefix``."""

    name: str
    header: str = ""
    query: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A request. ``body`` is a JSON value (None: none)."""

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    auth: tuple[Auth, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer: a JSON value if its type says so, else text."""

    status: int
    output: Any


class Outgoing:
    """Sends requests to ``hosts`` (``name`` or ``name:port``). ``private_hosts`` may have addresses that are not
    public."""

    def __init__(
        self,
        hosts: Collection[str],
        secrets: Mapping[str, Secret] | None = None,
        *,
        private_hosts: Collection[str] = (),
        max_bytes: int = 2 * 2**20,
    ) -> None:
        self._hosts = frozenset(each.lower() for each in hosts)
        self._secrets = secrets or {}
        self._private = frozenset(each.lower() for each in private_hosts)
        self._max_bytes = max_bytes
        self._session: Any = None

    async def send(self, request: Outbound) -> Answer:
        """Raises ``Forbidden`` for a host that is not listed, an address that is not public, a redirect to elsewhere;
        ``UpstreamError`` and ``Overloaded`` for what may pass; ``InvalidRequest`` for what the server refuses."""
        import aiohttp

        host = self._checked(request.url)
        request = self._authorised(request, host)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=fetch.resolver(self._private), limit=8),
                headers={"User-Agent": f"mainspring/{__version__} (tool)", "Accept": "application/json, text/*"},
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=120),
            )
        try:
            return await self._sent(request, host)
        except MainspringError:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if isinstance(error.__cause__, fetch.Refused):
                raise _private(host) from None
            raise UpstreamError(f"{host} does not answer: {type(error).__name__}") from error

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _sent(self, request: Outbound, host: str) -> Answer:
        import yarl

        data = None if request.body is None else orjson.dumps(request.body)
        headers = dict(request.headers) | ({"Content-Type": "application/json"} if data is not None else {})
        # As it was written: what is quoted in a path stays so.
        url = yarl.URL(request.url, encoded=True).extend_query(dict(request.query))
        async with self._session.request(
            request.method, url, headers=headers, data=data, allow_redirects=False
        ) as response:
            body = bytearray()
            async for part in response.content.iter_chunked(2**16):
                body += part
                if len(body) > self._max_bytes:
                    raise UpstreamError(f"{host} answers with more than {self._max_bytes} bytes")
            text = self._hidden(bytes(body).decode(response.charset or "utf-8", "replace"))
            status, kind = response.status, response.content_type
        if 300 <= status < 400 and status != 304:
            raise Forbidden(f"{host} redirects elsewhere", remedy="Name the final address in the tool's definition")
        if status in (429, 503):
            raise Overloaded(f"{host} is busy (status {status})", retry_after=_seconds(response.headers))
        if status >= 500:
            raise UpstreamError(f"{host} answers with status {status}")
        if status >= 400:
            raise InvalidRequest(f"{host} refuses this (status {status}): {text[:_MOST_ERROR]}")
        if kind == "application/json" or kind.endswith("+json"):
            try:
                return Answer(status, orjson.loads(text) if text else None)
            except ValueError:
                raise UpstreamError(f"{host} answers with JSON that cannot be read") from None
        return Answer(status, text)

    def _checked(self, url: str) -> str:
        """The host of a permitted URL."""
        import yarl

        try:
            fetch.check(url, self._private)
        except Forbidden:
            raise _private(yarl.URL(url).host or url) from None
        parts = yarl.URL(url)
        host = (parts.host or "").lower()
        if host not in self._hosts and f"{host}:{parts.port}" not in self._hosts:
            raise Forbidden(f"this tool may not reach {host}", remedy="List the host in the tool's definition")
        return host

    def _authorised(self, request: Outbound, host: str) -> Outbound:
        headers, query = dict(request.headers), dict(request.query)
        for each in request.auth:
            secret = self._secrets.get(each.name)
            if secret is None or host not in secret.hosts:
                raise Forbidden(
                    f"the secret {each.name} is not for {host}",
                    remedy=f"List the host in tools.secrets.{each.name}.hosts",
                )
            if each.header:
                headers[each.header] = f"{each.prefix}{secret.value}"
            else:
                query[each.query] = f"{each.prefix}{secret.value}"
        return dataclasses.replace(request, headers=headers, query=query)

    def _hidden(self, text: str) -> str:
        """``text`` without our secrets, which a server may repeat."""
        for each in self._secrets.values():
            if len(each.value) >= 4:
                text = text.replace(each.value, _SHOWN)
        return text


def _private(host: str) -> Forbidden:
    return Forbidden(
        f"{host} has an address that is not public", remedy="Allow it in tools.private_hosts if it is meant"
    )


def _seconds(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None
