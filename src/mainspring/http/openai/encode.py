"""Encodes our answers and events in OpenAI's formats.

Citations are an extension: ``message.citations`` (and ``delta.citations`` in streams); so are ``missing``, the parts
of a question that the documents do not answer, ``conflicts``, where cited sources disagree, and ``notices``.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache
from itertools import accumulate
from math import isnan
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from mainspring.core.errors import BudgetExceeded, MainspringError
from mainspring.core.path import Answer, Choice
from mainspring.core.types import (
    Answered,
    Citation,
    Contradiction,
    Event,
    Finish,
    FinishReason,
    Missing,
    Notice,
    Progress,
    Reasoning,
    Response,
    Text,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from mainspring.core.version import __version__
from mainspring.http.openai.chat_messages import CustomCall, custom_body

Kind = Literal["chat", "functions", "text"]
"""``functions`` is a chat that calls tools in the form that ``tool_calls`` replaced."""
log = logging.getLogger("mainspring.gateway")
# OpenAI's stand-in for the logarithm of zero, which JSON cannot hold.
LEAST_LOGPROB = -9999.0
# Replaces the text while a frame is taken apart.
_MARK = "text"


class ErrorFacts(BaseModel):
    """The error: ``code`` is stable, ``param`` names the faulty field."""

    message: str
    type: Literal["invalid_request_error", "rate_limit_error", "insufficient_quota", "server_error"]
    param: str | None
    code: str


class ErrorBody(BaseModel):
    """OpenAI's error envelope, as the API's description declares it."""

    error: ErrorFacts


def error_body(error: MainspringError) -> dict[str, Any]:
    """OpenAI's error envelope with our stable code."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    if error.status == 429:
        kind = "insufficient_quota" if isinstance(error, BudgetExceeded) else "rate_limit_error"
    return {"error": {"message": error.told, "type": kind, "param": error.param, "code": error.code}}


def error_frame(error: MainspringError) -> bytes:
    """A failure within a stream."""
    return b"data: " + dumps(error_body(error)) + b"\n\n"


def bug() -> MainspringError:
    """The response to an unexpected exception; the details go to the log only."""
    return MainspringError("an unexpected failure", remedy="The server's log has it under this trace id")


def usage_body(usage: Usage, reasoning: int = 0) -> dict[str, Any]:
    """OpenAI's usage object; ``reasoning`` of the tokens were thoughts. ``cost_usd`` is an extension."""
    body: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": min(reasoning, usage.completion_tokens)},
    }
    if usage.cost_nanousd:
        body["cost_usd"] = usage.cost_nanousd / 1e9
    return body


def citation_body(citation: Citation) -> dict[str, Any]:
    body = dataclasses.asdict(citation)
    del body["choice"]
    return body


def conflict_body(found: Contradiction) -> dict[str, Any]:
    body = dataclasses.asdict(found)
    del body["choice"]
    return body


def answered_body(answered: bool, sought: Sequence[str]) -> dict[str, Any]:
    return {"answered": answered} | ({"sought": list(sought)} if sought else {})


def notice_body(notice: Notice) -> dict[str, Any]:
    body = {"code": notice.code, "text": notice.text}
    return body | {"id": notice.id} if notice.id else body


def chat_body(answer: Answer, kind: Kind = "chat") -> dict[str, Any]:
    """A ``chat.completion`` object."""
    choices = [
        {
            "index": index,
            "message": _message(choice, answer, index, kind) | _extras(answer, index),
            "logprobs": _chat_logprobs(choice.logprobs),
            "finish_reason": _reason(choice.finish or "stop", kind),
        }
        for index, choice in enumerate(answer.choices)
    ]
    return _envelope(answer, "chat.completion", choices)


def completion_body(answer: Answer) -> dict[str, Any]:
    """A ``text_completion`` object."""
    choices = [
        {
            "index": index,
            "text": choice.text,
            "logprobs": _legacy_logprobs(choice.logprobs, 0) if choice.logprobs else None,
            "finish_reason": choice.finish or "stop",
        }
        for index, choice in enumerate(answer.choices)
    ]
    return _envelope(answer, "text_completion", choices)


@lru_cache(maxsize=1024)
def fingerprint(model: str) -> str:
    """What OpenAI calls the system's fingerprint: it changes with this program's version and the model's name."""
    return f"fp_{hashlib.sha256(f'{__version__} {model}'.encode()).hexdigest()[:10]}"


def rerank_body(answer: Answer, texts: Sequence[str], top_n: int | None, documents: bool) -> dict[str, Any]:
    """A rerank result, best first; ``documents`` repeats the texts in it."""
    values = [] if answer.scores is None else answer.scores.values.tolist()
    order = sorted(range(len(values)), key=lambda index: (-values[index], index))[:top_n]
    results = [
        {"index": index, "relevance_score": values[index]} | ({"document": {"text": texts[index]}} if documents else {})
        for index in order
    ]
    usage = {"prompt_tokens": answer.usage.prompt_tokens, "total_tokens": answer.usage.prompt_tokens}
    shell = {"id": answer.head.answer_id, "object": "list", "model": answer.head.model}
    return {**shell, "results": results, "usage": usage}


def embeddings_body(answer: Answer, encoding: str) -> dict[str, Any]:
    """An embeddings ``list`` object; base64 is little-endian float32, as the official client decodes it."""
    rows = [row.astype("<f4") for row in answer.vectors.rows] if answer.vectors is not None else []
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(row.tobytes()).decode() if encoding == "base64" else row,
        }
        for index, row in enumerate(rows)
    ]
    usage = {"prompt_tokens": answer.usage.prompt_tokens, "total_tokens": answer.usage.prompt_tokens}
    return {"object": "list", "model": answer.head.model, "data": data, "usage": usage}


def dumps(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


async def stream(response: Response, kind: Kind, include_usage: bool) -> AsyncGenerator[bytes, None]:
    """The server-sent events of a response. The final ones come together. A late failure, a bug's too, is sent as an
    ``error`` frame, with no ``[DONE]``: clients take a silently cut stream for a normal end."""
    encoder = _ChunkEncoder(response, kind)
    usage, thoughts = Usage(), 0
    finishes: list[Finish] = []
    try:
        async with response:
            async for event in response:
                if type(event) is Text:
                    frame = encoder.text(event)
                elif isinstance(event, Usage):
                    usage = usage + event
                    continue
                elif isinstance(event, Finish):
                    # Only usage and other ends follow from our rings: they need no packets of their own.
                    finishes.append(event)
                    continue
                else:
                    thoughts += event.tokens if type(event) is Reasoning else 0
                    frame = encoder.encode(event)
                if frame:
                    yield frame
        frames = [encoder.encode(finish) for finish in finishes]
        if include_usage:
            frames.append(encoder.usage(usage, thoughts))
        yield b"".join(frames) + b"data: [DONE]\n\n"
    except MainspringError as error:
        yield error_frame(error)
    except Exception:
        log.exception("unexpected failure in a stream")
        yield error_frame(bug())


class _ChunkEncoder:
    """Events to ``chat.completion.chunk`` (or ``text_completion``) frames; the constant part is encoded once."""

    def __init__(self, response: Response, kind: Kind) -> None:
        head = response.head
        self.kind = kind
        self.started: set[int] = set()
        self.offsets: dict[int, int] = {}
        shell = {
            "id": head.answer_id or "answer",
            "object": "text_completion" if kind == "text" else "chat.completion.chunk",
            "created": int(time.time()),
            "model": head.model,
            "system_fingerprint": fingerprint(head.model),
        }
        self.prefix = b"data: " + dumps(shell)[:-1] + b',"choices":'
        # The constant parts before and after the text of each choice, in every frame except the first.
        self.around: dict[int, tuple[bytes, bytes]] = {}

    def encode(self, event: Event) -> bytes:
        match event:
            case Text():
                return self.text(event)
            case Finish():
                return self._frame(event.choice, {}, finish=_reason(event.reason, self.kind))
            case Reasoning():
                return self._frame(event.choice, {"reasoning_content": event.text})
            case ToolCallDelta():
                return self._frame(event.choice, _called(event, self.kind))
            case Citation():
                return self._frame(event.choice, {"citations": [citation_body(event)]})
            case Missing():
                return self._frame(event.choice, {"missing": [event.part]})
            case Answered():
                return self._frame(event.choice, answered_body(event.answered, event.sought))
            case Contradiction():
                return self._frame(event.choice, {"conflicts": [conflict_body(event)]})
            case Notice():
                return self._frame(event.choice, {"notices": [notice_body(event)]})
            case Progress():
                return b": " + " ".join(event.stage.split()).encode() + b"\n\n"
            case _:
                return b""

    def usage(self, usage: Usage, thoughts: int) -> bytes:
        return self.prefix + b'[],"usage":' + dumps(usage_body(usage, thoughts)) + b"}\n\n"

    def text(self, event: Text) -> bytes:
        if event.logprobs:
            return self._frame(event.choice, {"content": event.text}, logprobs=self._logprobs(event))
        if not event.text:
            return b""
        around = self.around.get(event.choice)
        if around is None:
            first = self._frame(event.choice, {"content": event.text})
            before, _, after = self._frame(event.choice, {"content": _MARK}).rpartition(orjson.dumps(_MARK))
            self.around[event.choice] = (before, after)
            return first
        return around[0] + orjson.dumps(event.text) + around[1]

    def _logprobs(self, event: Text) -> dict[str, Any] | None:
        if self.kind != "text":
            return _chat_logprobs(event.logprobs)
        start = self.offsets.get(event.choice, 0)
        self.offsets[event.choice] = start + len(event.text)
        return _legacy_logprobs(event.logprobs, start)

    def _frame(self, index: int, delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> bytes:
        choice: dict[str, Any] = {"index": index}
        if self.kind != "text":
            if index not in self.started:
                self.started.add(index)
                delta = {"role": "assistant", **delta}
            choice["delta"] = delta
        else:
            choice["text"] = delta.get("content", "")
        choice["logprobs"] = logprobs
        choice["finish_reason"] = finish
        return self.prefix + b"[" + orjson.dumps(choice) + b"]}\n\n"


def _message(choice: Choice, answer: Answer, index: int, kind: Kind) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.text or (None if choice.tool_calls else ""),
        "refusal": None,
        "annotations": [],
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls and kind == "functions":
        call = choice.tool_calls[0]
        message["function_call"] = {"name": call.name, "arguments": call.arguments}
    elif choice.tool_calls:
        message["tool_calls"] = [call_body(call) for call in choice.tool_calls]
    citations = [citation_body(citation) for citation in answer.citations if citation.choice == index]
    if answer.answered is not None:
        # Always a list, so that readers need not test for it.
        message |= {**answered_body(answer.answered, answer.sought), "citations": citations}
    elif citations:
        message["citations"] = citations
    return message


def call_body(call: ToolCall) -> dict[str, Any]:
    """A tool call of a message."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _extras(answer: Answer, index: int) -> dict[str, Any]:
    missing = [each.part for each in answer.missing if each.choice == index]
    conflicts = [conflict_body(each) for each in answer.contradictions if each.choice == index]
    notices = [notice_body(each) for each in answer.notices if each.choice == index]
    found = {"missing": missing, "conflicts": conflicts, "notices": notices}
    return {name: value for name, value in found.items() if value}


def _envelope(answer: Answer, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": answer.head.answer_id or "answer",
        "object": kind,
        "created": int(time.time()),
        "model": answer.head.model,
        "choices": choices,
        "usage": usage_body(answer.usage, sum(choice.reasoning_tokens for choice in answer.choices)),
        "system_fingerprint": fingerprint(answer.head.model),
        "service_tier": "default",
    }


def _reason(reason: FinishReason, kind: Kind) -> str:
    return "function_call" if reason == "tool_calls" and kind == "functions" else reason


def _called(event: ToolCallDelta, kind: Kind) -> dict[str, Any]:
    if kind != "functions":
        return {"tool_calls": [_tool_delta(event)]}
    return {"function_call": _tool_delta(event)["function"]}


def _tool_delta(event: ToolCallDelta) -> dict[str, Any]:
    if isinstance(event, CustomCall):
        return {"index": event.index, **custom_body(event.id, event.name, event.arguments)}
    function: dict[str, Any] = {"arguments": event.arguments}
    delta: dict[str, Any] = {"index": event.index, "function": function}
    if event.id is not None:
        delta |= {"id": event.id, "type": "function"}
    if event.name is not None:
        function["name"] = event.name
    return delta


def _chat_logprobs(items: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    return {"content": [logprob_body(item) for item in items], "refusal": None} if items else None


def logprob_body(item: TokenLogprob) -> dict[str, Any]:
    """OpenAI's log-probability of one token."""
    return _one_logprob(item.token, item.logprob) | {
        "top_logprobs": [_one_logprob(token, value) for token, value in item.top]
    }


def _one_logprob(token: str, value: float) -> dict[str, Any]:
    return {"token": token, "logprob": max(LEAST_LOGPROB, value), "bytes": list(token.encode())}


def _legacy_logprobs(items: Sequence[TokenLogprob], start: int) -> dict[str, Any]:
    """``start`` is where the text of ``items`` begins, in characters of the whole text."""
    lengths = accumulate((len(item.token) for item in items), initial=start)
    return {
        "tokens": [item.token for item in items],
        # Nothing precedes a prompt's first token.
        "token_logprobs": [None if isnan(item.logprob) else max(LEAST_LOGPROB, item.logprob) for item in items],
        "top_logprobs": [{token: max(LEAST_LOGPROB, value) for token, value in item.top} for item in items],
        "text_offset": list(lengths)[:-1],
    }
