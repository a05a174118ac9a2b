"""OpenAI's wire format seen from the client's side: requests out, streamed chunks in."""

from __future__ import annotations

import dataclasses
import email.utils
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mainspring.core.errors import RateLimited, UpstreamError
from mainspring.core.types import (
    Event,
    Finish,
    FinishReason,
    Image,
    Message,
    Reasoning,
    Sampling,
    Text,
    TokenLogprob,
    Tool,
    ToolCallDelta,
    Usage,
)
from mainspring.engines.base import Generation
from mainspring.engines.chat.tools import declaration
from mainspring.engines.remote.sse import ServerEvent

MOST_TOKENS = 100_000_000
"""More than any answer takes, prompt and all choices: a higher count is the endpoint's mistake."""
_SAME = (
    *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"),
    "seed",
)
_STEERING = ("reasoning_effort", "verbosity")
_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def request(generation: Generation, model: str) -> tuple[str, dict[str, Any]]:
    """The path and the JSON body that ask for ``generation``."""
    body = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
    body |= _sampling(generation.sampling)
    if not generation.messages:
        if generation.sampling.logprobs is not None:
            body["logprobs"] = generation.sampling.logprobs
        return "/completions", body | {"prompt": generation.prompt}
    body |= _steered(generation.variables)
    body["messages"] = [_message(message) for message in generation.messages]
    if generation.sampling.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": generation.sampling.logprobs}
    if generation.tools:
        choice: Any = generation.tool_choice
        if choice not in ("auto", "none", "required"):
            choice = {"type": "function", "function": {"name": choice}}
        body |= {"tools": [_tool(tool) for tool in generation.tools], "tool_choice": choice}
        if not generation.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    return "/chat/completions", body


def _sampling(sampling: Sampling) -> dict[str, Any]:
    body = {name: getattr(sampling, name) for name in _SAME if getattr(sampling, name) is not None}
    if sampling.max_tokens is not None:
        body["max_tokens"] = sampling.max_tokens
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.n > 1:
        body["n"] = sampling.n
    if sampling.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
    if sampling.ignore_eos:
        body["ignore_eos"] = True
    if sampling.grammar:
        schema = {"name": "answer", "strict": True, "schema": json.loads(sampling.grammar.source)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _steered(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What OpenAI has fields for, and the template's other variables as vLLM, SGLang and llama.cpp take them."""
    fields = {name: variables[name] for name in _STEERING if name in variables}
    others = {name: value for name, value in variables.items() if name not in _STEERING}
    return fields | ({"chat_template_kwargs": others} if others else {})


def _tool(tool: Tool) -> dict[str, Any]:
    declared = declaration(tool)
    if tool.strict:
        declared["function"] |= {"strict": True}
    return declared


def _part(piece: str | Image) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    return {"type": "image_url", "image_url": {"url": piece.url} | ({"detail": piece.detail} if piece.detail else {})}


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        body["content"] = [_part(piece) for piece in message.pieces]
    if message.name:
        body["name"] = message.name
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return body


class StreamReader:
    """Turns the events of one streamed answer into ours, in our order: ``Usage`` before each ``Finish``.

    An answer that ends without ``[DONE]`` and without a finish for each choice was cut, and says so.
    ``usage_per_choice``: the server counts each choice by itself (llama.cpp), not the whole answer (OpenAI). One that
    counts nothing is taken to have read ``prompt_tokens``.
    """

    def __init__(self, name: str, *, usage_per_choice: bool = False, prompt_tokens: int = 0) -> None:
        self.done = False
        self._name = name
        self._prompt_tokens = prompt_tokens
        self._usage_per_choice = usage_per_choice
        self._usage = _Told()
        self._finished: dict[int, FinishReason] = {}
        self._seen: set[int] = set()
        self._called: set[int] = set()
        self._tokens = 0

    def read(self, event: ServerEvent) -> Iterator[Event]:
        """The events in one server-sent event. Raises ``UpstreamError`` for error frames and nonsense."""
        if self.done:
            return
        if event.data.strip() == "[DONE]":
            self.done = True
            return
        try:
            chunk = _loaded(event.data)
            if not isinstance(chunk, dict):
                raise TypeError(f"a chunk is {type(chunk).__name__}")
            if chunk.get("error") or event.kind == "error":
                raise self._error(chunk)
            yield from self.take(chunk)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise UpstreamError(f"{self._name} sent a chunk that cannot be read: {error}") from None

    def take(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """The events in one chunk. Raises ``ValueError``, ``TypeError`` and their like for nonsense."""
        if chunk.get("usage"):
            self._usage = self._usage.then(_usage(chunk["usage"]), each_choice=self._usage_per_choice)
        for choice in chunk.get("choices") or ():
            yield from self._choice(choice)

    def end(self) -> Iterator[Event]:
        """Usage and finishes. Raises ``UpstreamError`` if the stream was cut before its end."""
        unfinished = self._seen - self._finished.keys()
        if unfinished or not (self.done or self._finished):
            raise UpstreamError(f"{self._name} cut its answer before the end")
        yield self._usage.or_else(self._prompt_tokens, self._tokens)
        for choice in sorted(self._finished or {0: "stop"}):
            reason = self._finished.get(choice, "stop")
            yield Finish("tool_calls" if reason == "stop" and choice in self._called else reason, choice)

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        index = int(choice.get("index") or 0)
        self._seen.add(index)
        delta = choice.get("delta") or {}
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought:
            yield Reasoning(str(thought), index, 1)
        text = delta.get("content") or choice.get("text")
        logprobs = _logprobs(choice.get("logprobs"))
        if text or logprobs:
            count = len(logprobs) or 1
            self._tokens += count
            yield Text(str(text or ""), index, count, logprobs)
        for call in delta.get("tool_calls") or ():
            yield self._call(call, index)
        if choice.get("finish_reason"):
            self._finished[index] = _REASONS.get(choice["finish_reason"], "stop")

    def _call(self, call: Mapping[str, Any], choice: int) -> ToolCallDelta:
        function = call.get("function") or {}
        self._called.add(choice)
        return ToolCallDelta(
            choice,
            int(call.get("index") or 0),
            call.get("id") or None,
            function.get("name") or None,
            str(function.get("arguments") or ""),
        )

    def _error(self, chunk: Mapping[str, Any]) -> UpstreamError | RateLimited:
        message, code = error_of(json.dumps(chunk).encode())
        kind = RateLimited if code in ("rate_limit_exceeded", "429") else UpstreamError
        return kind(f"{self._name} failed while it answered: {message or 'no reason given'}")


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Some endpoints send what only the standard library reads: NaN, halves of surrogate pairs.
        return json.loads(text)


@dataclass(frozen=True, slots=True)
class _Told:
    """Tokens as an endpoint counted them. None: it did not say, or said what cannot be."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None

    def then(self, later: _Told, *, each_choice: bool) -> _Told:
        """The later usage, which counts the whole answer or, with ``each_choice``, one choice."""
        if not each_choice or self.completion is None or later.completion is None:
            return later
        return dataclasses.replace(self, completion=self.completion + later.completion)

    def or_else(self, prompt: int, completion: int) -> Usage:
        """These counts, with estimates for missing ones."""
        read = prompt if self.prompt is None else self.prompt
        wrote = completion if self.completion is None else self.completion
        return Usage(read, wrote, min(self.cached or 0, read))


def _usage(usage: Mapping[str, Any]) -> _Told:
    details = usage.get("prompt_tokens_details") or {}
    return _Told(
        token_count(usage.get("prompt_tokens")),
        token_count(usage.get("completion_tokens")),
        token_count(details.get("cached_tokens")),
    )


def token_count(value: Any) -> int | None:
    """``value`` as a number of tokens; None if it is none: what an endpoint counts is charged, so that nothing may
    count below zero, and no single answer may close a key for years."""
    try:
        count = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 <= count <= MOST_TOKENS else None


def _logprobs(found: Any) -> tuple[TokenLogprob, ...]:
    if not found:
        return ()
    if found.get("content") is not None:
        return tuple(
            TokenLogprob(
                str(token["token"]),
                float(token["logprob"]),
                tuple((str(top["token"]), float(top["logprob"])) for top in token.get("top_logprobs") or ()),
            )
            for token in found["content"]
        )
    tokens = found.get("tokens") or []
    values = found.get("token_logprobs") or []
    tops = found.get("top_logprobs") or [None] * len(tokens)
    return tuple(
        TokenLogprob(str(token), float(value or 0.0), tuple((str(k), float(v)) for k, v in (top or {}).items()))
        for token, value, top in zip(tokens, values, tops, strict=False)
    )


def error_of(raw: bytes) -> tuple[str, str]:
    """(message, code) of an error body in any format; the first 500 characters of plain text."""
    text = raw.decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()[:500], ""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail") or ""
        return str(message)[:500], str(error.get("code") or error.get("type") or "")
    return str(error)[:500], ""


def retry_after(value: str | None) -> float | None:
    """Seconds in a Retry-After header: a number or an HTTP date; None if it is neither."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
