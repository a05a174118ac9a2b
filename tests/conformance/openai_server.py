"""A small OpenAI-compatible server in front of any engine, as the remote engine's other side."""

import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from mainspring.core.errors import MainspringError
from mainspring.core.types import Event, Finish, Grammar, Message, Sampling, Text, Usage
from mainspring.engines.base import Engine, Generation

_SENT: list[dict[str, Any]] = []


def sent() -> list[dict[str, Any]]:
    """The bodies that have come so far."""
    return _SENT


def serve(engine: Engine) -> TestServer:
    """A server to be started; its ``/v1`` answers from ``engine``, stopping it where the client leaves."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        _SENT.append(body)
        chat = request.path.endswith("chat/completions")
        try:
            stream = await engine.generate(_generation(body, chat))
        except MainspringError as error:
            payload = {"error": {"message": error.message, "code": error.code}}
            headers = {"retry-after": str(error.retry_after)} if error.retry_after else {}
            return web.json_response(payload, status=error.status, headers=headers)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            async for event in stream:
                await response.write(_frame(_chunk(event, chat)))
            await response.write(b"data: [DONE]\n\n")
        except MainspringError as error:
            await response.write(_frame({"error": {"message": error.message, "code": error.code}}))
        finally:
            await stream.aclose()
        return response

    application = web.Application()
    application.router.add_post("/v1/chat/completions", answer)
    application.router.add_post("/v1/completions", answer)
    return TestServer(application)


def _frame(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _generation(body: dict[str, Any], chat: bool) -> Generation:
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    names = ("max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "ignore_eos")
    values = {name: body[name] for name in (*names, "presence_penalty", "frequency_penalty") if name in body}
    logprobs = (body.get("top_logprobs", 0) if body.get("logprobs") else None) if chat else body.get("logprobs")
    sampling = Sampling(
        **values,
        n=body.get("n", 1),
        stop=tuple(body.get("stop", ())),
        logprobs=logprobs,
        grammar=Grammar("json_schema", json.dumps(schema)) if schema else None,
    )
    if not chat:
        return Generation(body["prompt"], sampling)
    messages = tuple(Message(item["role"], item["content"]) for item in body["messages"])
    return Generation("", sampling, messages)


def _chunk(event: Event, chat: bool) -> dict[str, Any]:
    match event:
        case Text():
            delta: dict[str, Any] = {"delta": {"content": event.text}} if chat else {"text": event.text}
            if event.logprobs:
                delta["logprobs"] = _logprobs(event, chat)
            return {"choices": [{"index": event.choice, **delta}]}
        case Usage():
            usage = {"prompt_tokens": event.prompt_tokens, "completion_tokens": event.completion_tokens}
            return {"choices": [], "usage": usage}
        case Finish():
            return {"choices": [{"index": event.choice, "delta": {}, "finish_reason": event.reason}]}
        case _:
            raise TypeError(f"no chunk for {event}")


def _logprobs(event: Text, chat: bool) -> dict[str, Any]:
    if not chat:
        return {
            "tokens": [token.token for token in event.logprobs],
            "token_logprobs": [token.logprob for token in event.logprobs],
            "top_logprobs": [dict(token.top) for token in event.logprobs],
        }
    return {
        "content": [
            {
                "token": token.token,
                "logprob": token.logprob,
                "top_logprobs": [{"token": text, "logprob": value} for text, value in token.top],
            }
            for token in event.logprobs
        ]
    }
