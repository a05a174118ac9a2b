"""A login in a browser: the address to open, and the local one to which the browser returns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from mcp.shared.auth import AuthorizationCodeResult

from mainspring.agents.tools.mcp.connection import Connection
from mainspring.agents.tools.mcp.oauth import provider
from mainspring.agents.tools.mcp.settings import McpServerSettings
from mainspring.core.errors import DeadlineExceeded, InvalidRequest, UpstreamError
from mainspring.features.mcp.tokens import StoredTokens

PATH = "/callback"
WAIT_S = 300.0
_PAGE = (
    "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n"
    "connection: close\r\n\r\n{text}\n"
)


async def login(name: str, settings: McpServerSettings, tokens: StoredTokens, show: Callable[[str], None]) -> int:
    """Log in at the server; ``show`` is given the address for the browser. Gives the number of its tools. Raises
    ``InvalidRequest``, ``UpstreamError``, ``DeadlineExceeded``."""
    if settings.oauth is None or settings.oauth.grant != "authorization_code":
        raise InvalidRequest(f"mcp.servers.{name} has no login", remedy="Set oauth: {} under it")
    async with _returning(settings.oauth.redirect_port) as (port, came):

        async def returned() -> AuthorizationCodeResult:
            try:
                async with asyncio.timeout(WAIT_S):
                    return await came
            except TimeoutError:
                raise DeadlineExceeded(f"nobody logged in within {WAIT_S:g} s") from None

        async def redirect(url: str) -> None:
            show(url)

        auth = provider(
            name,
            settings.url,
            settings.oauth,
            tokens,
            redirect_uri=f"http://127.0.0.1:{port}{PATH}",
            redirect=redirect,
            returned=returned,
        )
        patient = settings.model_copy(update={"connect_timeout_s": WAIT_S, "timeout_s": WAIT_S})
        connection = Connection(name, patient, auth=auth)
        try:
            listed = await connection.run("list its tools", lambda client: client.list_tools())
        finally:
            await connection.aclose()
    return len(listed.tools)


def _result(query: dict[str, str]) -> AuthorizationCodeResult:
    return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))


@asynccontextmanager
async def _returning(port: int) -> AsyncIterator[tuple[int, asyncio.Future[AuthorizationCodeResult]]]:
    """Listens on the local machine for the browser that comes back."""
    came: asyncio.Future[AuthorizationCodeResult] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                line = (await reader.readline()).decode("ascii", "replace").split()
            address = urlsplit(line[1] if len(line) > 1 and line[0] == "GET" else "")
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            status, text = "200 OK", "You are logged in and can close this page."
            if address.path != PATH:
                status, text = "404 Not Found", "There is nothing here."
            elif "code" in query and not came.done():
                came.set_result(_result(query))
            elif not came.done():
                status, text = "400 Bad Request", "The login was refused."
                came.set_exception(UpstreamError(f"the login was refused: {query.get('error', 'no code came')[:100]}"))
            writer.write(_PAGE.format(status=status, text=text).encode())
            await writer.drain()
        except (TimeoutError, OSError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, limit=16_384)
    async with server:
        yield server.sockets[0].getsockname()[1], came
