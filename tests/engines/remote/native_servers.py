"""Servers that speak as Gemini, Cohere and Azure OpenAI do, as their references say: requests in, event streams out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

PIECES = ("The harbour", " opens", " at six.")
ARGUMENTS = {"gate": "north", "hour": 6}


@dataclass
class Upstream:
    """What was asked of a server, and what it is to answer: ``refuse`` is a status, ``call`` a call of a tool,
    ``ended`` the provider's word for why it stopped. ``left`` is set when a caller leaves in the middle."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refuse: int = 0
    call: bool = False
    ended: str = ""
    slow: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def noted(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.asked.append({"path": request.path, **body})
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return body

    async def stream(self, request: web.Request, frames: list[str]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            for frame in frames:
                await response.write(frame.encode())
                if self.slow:
                    await asyncio.sleep(0.5)
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        return response


async def gemini(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    """``models.streamGenerateContent`` of the Gemini API, with ``alt=sse``."""
    await upstream.noted(request)
    assert request.query["alt"] == "sse"
    if upstream.refuse:
        status = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
        error = {"code": upstream.refuse, "message": "refused here", "status": status.get(upstream.refuse, "INTERNAL")}
        return web.json_response({"error": error}, status=upstream.refuse, headers={"retry-after": "7"})
    if upstream.call:
        parts: list[dict[str, Any]] = [{"functionCall": {"name": "open_gate", "args": ARGUMENTS}}]
    else:
        parts = [{"text": piece} for piece in PIECES]
    frames = []
    for number, part in enumerate(parts, 1):
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
        usage = {"promptTokenCount": 11, "totalTokenCount": 11}
        if number == len(parts):
            candidate["finishReason"] = upstream.ended or "STOP"
            usage = {"promptTokenCount": 11, "candidatesTokenCount": 6, "totalTokenCount": 17}
        told = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-x", "responseId": "r1"}
        frames.append(f"data: {json.dumps(told)}\r\n\r\n")
    return await upstream.stream(request, frames)


async def cohere(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    """``POST /v2/chat`` of Cohere, streamed."""
    body = await upstream.noted(request)
    if upstream.refuse:
        headers = {"retry-after": "7"}
        return web.json_response({"id": "e1", "message": "refused here"}, status=upstream.refuse, headers=headers)
    assert body["stream"] is True
    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": "m1", "delta": {"message": {"role": "assistant", "content": []}}}
    ]
    if upstream.call:
        whole = json.dumps(ARGUMENTS)
        function = {"name": "open_gate", "arguments": ""}
        start = {"id": "open_gate_1", "type": "function", "function": function}
        events.append({"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": start}}})
        for piece in (whole[:9], whole[9:]):
            delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            events.append({"type": "tool-call-delta", "index": 0, "delta": delta})
        events.append({"type": "tool-call-end", "index": 0})
    else:
        content = {"message": {"content": {"type": "text", "text": ""}}}
        events.append({"type": "content-start", "index": 0, "delta": content})
        for piece in PIECES:
            events.append({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}})
        events.append({"type": "content-end", "index": 0})
    usage = {
        "billed_units": {"input_tokens": 5, "output_tokens": 6},
        "tokens": {"input_tokens": 11, "output_tokens": 6},
    }
    ended = upstream.ended or ("TOOL_CALL" if upstream.call else "COMPLETE")
    events.append({"type": "message-end", "id": "m1", "delta": {"finish_reason": ended, "usage": usage}})
    return await upstream.stream(request, [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events])


async def azure(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    """``POST /openai/v1/chat/completions`` of Azure OpenAI, with its first chunk that only filters content."""
    await upstream.noted(request)
    if upstream.refuse:
        error = {"code": str(upstream.refuse), "message": "refused here", "type": "error"}
        return web.json_response({"error": error}, status=upstream.refuse, headers={"retry-after": "7"})
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt"}
    filtered = {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}
    chunks: list[dict[str, Any]] = [{**head, **filtered}]
    if upstream.call:
        whole = json.dumps(ARGUMENTS)
        first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "open_gate", "arguments": ""}}
        deltas: list[dict[str, Any]] = [{"role": "assistant", "tool_calls": [first]}]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in (whole[:9], whole[9:])]
    else:
        deltas = [{"content": piece} for piece in PIECES]
    chunks += [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    ended = upstream.ended or ("tool_calls" if upstream.call else "stop")
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": ended}]})
    chunks.append({**head, "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 6, "total_tokens": 17}})
    return await upstream.stream(request, [*(f"data: {json.dumps(each)}\n\n" for each in chunks), "data: [DONE]\n\n"])


ROUTES = {
    "gemini": ("/{version}/models/{model}", gemini, "gemini-x"),
    "cohere": ("/v2/chat", cohere, "command-x"),
    "azure": ("/openai/v1/chat/completions", azure, "deployed"),
}


@asynccontextmanager
async def serve(provider: str, upstream: Upstream) -> AsyncIterator[str]:
    """The address of a server of that provider."""
    path, answer, _ = ROUTES[provider]
    application = web.Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(upstream, request)

    application.router.add_post(path, handle)
    server = TestServer(application)
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()
