"""Receivers of notices: a web server and a mail server that keep what they are sent, and can refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Received:
    """One post: its headers in lower case and its body."""

    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """``answers`` are the statuses of the next posts, 200 when there are none left."""

    url: str = ""
    posts: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def wait(self, count: int) -> None:
        """Until so many have come."""
        async with asyncio.timeout(90):
            while len(self.posts) < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A web server on a free port."""
    made = Receiver()

    async def take(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        made.posts.append(Received(headers, await request.read()))
        return web.Response(status=made.answers.pop(0) if made.answers else 200)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield made
    finally:
        await runner.cleanup()


@dataclass
class MailServer:
    """Speaks as much SMTP as smtplib does. ``refusals`` are answers to the next recipients."""

    port: int = 0
    messages: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")

        say("220 here")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "RCPT" and self.refusals:
                say(self.refusals.pop(0))
            elif verb == "DATA":
                say("354 go on")
                lines = []
                while (text := (await reader.readline()).decode().rstrip("\r\n")) != ".":
                    lines.append(text)
                self.messages.append("\n".join(lines))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("250 good")
        writer.close()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """A mail server on a free port."""
    made = MailServer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
