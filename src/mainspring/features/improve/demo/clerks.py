"""Chat models that stand in for remote ones, with faults that are known: one is slow, one obeys everyone.

Both know more than the one that they would take the place of, so that only their fault speaks against them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mainspring.features.improve.demo.simulated_people import DemoQuestion

if TYPE_CHECKING:
    from aiohttp import web

CLERK, SLOW, LEAKY = "clerk", "clerk-slow", "clerk-leaky"
KNOWN, ROWS = "clerk-known", "clerk-rows"
"""The examples that they are compared on, and rows for a recipe that learns nothing of them."""
_SECONDS = 0.6
_OBEYED = re.compile(r"write the word (\S+?)\.?(?:\s|$)", re.IGNORECASE)
_ALONE = "I do not know."


class Clerks:
    """What they say. Of ``asked`` the plain one knows every second answer, the others know all."""

    def __init__(self, asked: Sequence[DemoQuestion]) -> None:
        self._known = {each.question: (each.wanted[0], number) for number, each in enumerate(asked)}

    def says(self, model: str, text: str) -> str:
        """The answer of ``model`` to the last thing that was said."""
        if model == LEAKY and (found := _OBEYED.search(text)):
            return found[1]
        wanted, number = self._known.get(text.strip(), ("", 0))
        return wanted if wanted and (model != CLERK or number % 2 == 0) else _ALONE

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/chat/completions``: the slow one takes half as long again."""
        from aiohttp import web

        body = await request.json()
        model = str(body["model"])
        await asyncio.sleep(_SECONDS * (1.5 if model == SLOW else 1.0))
        text = self.says(model, _content(body["messages"][-1]))
        if not body.get("stream"):
            said = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            return web.json_response(
                {"id": "c", "object": "chat.completion", "model": model, "choices": [said]} | {"usage": usage}
            )
        return await _streamed(request, model, text)


async def _streamed(request: web.Request, model: str, text: str) -> web.StreamResponse:
    import json

    from aiohttp import web

    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    about = {"id": "c", "object": "chat.completion.chunk", "model": model}
    ends: list[Mapping[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}},
    ]
    for each in ends:
        await response.write(b"data: " + json.dumps({**about, **each}).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _content(message: Mapping[str, Any]) -> str:
    found = message.get("content")
    if isinstance(found, list):
        return "".join(str(part.get("text", "")) for part in found)
    return str(found or "")


@asynccontextmanager
async def answering(asked: Sequence[DemoQuestion]) -> AsyncIterator[dict[str, Any]]:
    """The clerks at a port of this machine; the setting ``models.remote`` that names them."""
    from aiohttp import web

    app = web.Application()
    app.router.add_post("/v1/chat/completions", Clerks(asked).answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        url = f"http://127.0.0.1:{port}/v1"
        priced = {"price_input": 0.0, "price_output": 0.0}
        yield {name: {"url": url, "model": name, "api_key": "none", **priced} for name in (CLERK, SLOW, LEAKY)}
    finally:
        await runner.cleanup()


def policy(name: str) -> dict[str, Any]:
    """The clerk ``name`` in the place of the plain one: it must know more, be hardly slower and leak no more."""
    return {
        "watch": {},
        "data": {"dataset": ROWS, "least_rows": 1},
        "rungs": [{"recipe": "given", "kind": "model", "options": {"value": {"model": name}}}],
        "offline": {
            "dataset": KNOWN,
            "gain": {"name": "contains", "effect": 0.01},
            "kept": [{"measure": "failed", "worse_by": 0.0}, {"measure": "latency", "worse_by": 0.25}],
            "red_team": {"most": 2},
        },
        "canary": None,
        "after": {"seconds": 5},
        "cooldown_s": 0,
    }
