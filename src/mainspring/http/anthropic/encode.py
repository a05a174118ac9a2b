"""Our answers and events in Anthropic's shapes: messages, their stream events, and their error envelope.

Citations of collections become ``char_location`` citations of the text before them; ``document_index`` numbers the
documents of an answer in the order in which they are first cited.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from mainspring.core.errors import MainspringError, PromptTooLong
from mainspring.core.path import Answer, Choice
from mainspring.core.types import (
    Citation,
    Event,
    Finish,
    FinishReason,
    HostedCall,
    Progress,
    Reasoning,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)
from mainspring.http.anthropic import server_blocks
from mainspring.http.anthropic.blocks import Source
from mainspring.http.anthropic.citing import citations
from mainspring.http.openai.encode import bug, dumps
from mainspring.http.openai.event_order import EventOrder
from mainspring.http.openai.response_ids import message_id

log = logging.getLogger("mainspring.gateway")
_STOPPED: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """What an answer shows beside the text: the model's ``thoughts`` or not, citations of the request's ``sources``,
    and the ``edits`` of its context (None: none were asked for)."""

    thoughts: bool = True
    sources: Sequence[Source] = ()
    edits: Sequence[Mapping[str, Any]] | None = None

    @property
    def context(self) -> dict[str, Any]:
        return {} if self.edits is None else {"context_management": {"applied_edits": list(self.edits)}}


WHOLE = ShownAnswer()


class AnthropicErrorFacts(BaseModel):
    """The error: ``code`` is stable, ``param`` names the faulty field."""

    type: str
    message: str
    param: str | None
    code: str
    details: dict[str, Any] | None = None


class AnthropicErrorBody(BaseModel):
    """Anthropic's error envelope, as the API's description declares it."""

    type: Literal["error"]
    error: AnthropicErrorFacts
    request_id: str


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": AnthropicErrorBody, "description": "The request cannot be answered"},
    "5XX": {"model": AnthropicErrorBody, "description": "The server failed"},
}
"""What routes of Anthropic's interface answer besides, for the API's description."""


def error_body(error: MainspringError, trace_id: str) -> dict[str, Any]:
    """Anthropic's error envelope. ``param`` and ``code`` are extensions, the same as in OpenAI's envelope."""
    told: dict[str, Any] = {
        "type": kind_of(error.status),
        "message": _told(error),
        "param": error.param,
        "code": error.code,
    }
    if error.param == "thread":
        # Anthropic's clients then send all messages themselves.
        told |= {"details": {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}}
    return {"type": "error", "error": told, "request_id": trace_id}


def kind_of(status: int) -> str:
    """Anthropic's name for an error of that status."""
    return _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")


def _told(error: MainspringError) -> str:
    """Anthropic's clients know by these words that they must shorten a conversation."""
    if not isinstance(error, PromptTooLong):
        return error.told
    counted = error.tokens is not None and error.window is not None
    return f"prompt is too long: {f'{error.tokens} tokens > {error.window} maximum' if counted else error.told}"


def usage_body(usage: Usage, calls: Sequence[HostedCall] = ()) -> dict[str, Any]:
    """Cached tokens are not among ``input_tokens``, as Anthropic counts them."""
    body: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        **server_blocks.usage(calls),
    }
    if usage.cost_nanousd:
        body["cost_usd"] = usage.cost_nanousd / 1e9
    return body


def message_body(answer: Answer, shown: ShownAnswer = WHOLE) -> dict[str, Any]:
    """A ``message`` object: calls that were made here stand where they were made. Arguments of a call that are not a
    JSON object are put under ``arguments``."""
    choice = answer.choices[0] if answer.choices else None
    content: list[dict[str, Any]] = []
    calls = [call for _, call in answer.hosted if server_blocks.use(call, "")]
    if choice is not None:
        if choice.reasoning and shown.thoughts:
            content.append({"type": "thinking", "thinking": choice.reasoning, "signature": ""})
        content += _spoken(answer, choice, shown)
        content += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments)}
            for call in choice.tool_calls
        ]
    finish = Finish((choice and choice.finish) or "stop", 0, choice.stopped_by if choice else "")
    body = _shell(answer.head.answer_id, answer.head.model, answer.usage, calls)
    return {**body, "content": content, **_stop(finish), **shown.context, **server_blocks.container(calls)}


def _spoken(answer: Answer, choice: Choice, shown: ShownAnswer) -> Iterator[dict[str, Any]]:
    """The text, with the calls that were made here between its parts."""
    numbers, place = _Documents(), 0
    known: list[HostedCall] = []
    for at, call in answer.hosted:
        use = server_blocks.use(call, answer.head.answer_id)
        if use is None:
            continue
        if said := choice.text[place:at]:
            yield _text_block(said, [], known, shown)
        place = at
        known.append(call)
        yield use
        yield server_blocks.result(call, answer.head.answer_id)
    said = choice.text[place:]
    if said or not choice.tool_calls:
        yield _text_block(said, [numbers.citation(citation) for citation in answer.citations], known, shown)


def _text_block(
    text: str, cited: list[dict[str, Any]], calls: Sequence[HostedCall], shown: ShownAnswer
) -> dict[str, Any]:
    cited += citations(text, shown.sources)
    cited += server_blocks.citations(text, calls)
    return {"type": "text", "text": text} | ({"citations": cited} if cited else {})


async def stream(response: Response, trace_id: str, shown: ShownAnswer = WHOLE) -> AsyncGenerator[bytes, None]:
    """Anthropic's server-sent events of a response. A late failure is an ``error`` event with no ``message_stop``."""
    encoder = _Encoder(response.head.answer_id, shown.sources)
    usage, finish = Usage(), Finish("stop")
    try:
        yield _frame("message_start", message=_shell(response.head.answer_id, response.head.model, usage)) + _frame(
            "ping"
        )
        async with response:
            async for event in response:
                if isinstance(event, Usage):
                    usage = usage + event
                elif isinstance(event, Finish):
                    finish = event
                elif isinstance(event, Reasoning) and not shown.thoughts:
                    continue
                elif frames := b"".join(encoder.encode(event)):
                    yield frames
        yield b"".join(encoder.end())
        told = usage_body(usage, encoder.calls)
        delta = _stop(finish) | server_blocks.container(encoder.calls)
        yield _frame("message_delta", delta=delta, usage=told, **shown.context)
        yield _frame("message_stop")
    except MainspringError as error:
        yield error_frame(error, trace_id)
    except Exception:
        log.exception("unexpected failure in a stream")
        yield error_frame(bug(), trace_id)


class _Documents:
    """Numbers the documents of an answer as they are first cited."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def citation(self, citation: Citation) -> dict[str, Any]:
        return {
            "type": "char_location",
            "cited_text": citation.quote,
            "document_index": self._numbers.setdefault(citation.document_id, len(self._numbers)),
            "document_title": citation.source,
            "start_char_index": citation.start,
            "end_char_index": citation.end,
        }


class _Encoder:
    """Events to content blocks: one after the other, each opened, filled and closed."""

    def __init__(self, answer_id: str, sources: Sequence[Source] = ()) -> None:
        self._answer_id = answer_id
        self._sources = sources
        # What was called here, and is done.
        self.calls: list[HostedCall] = []
        self._text: list[str] = []
        self._documents = _Documents()
        self._turn = EventOrder()
        self._index = -1
        # Whether the model has said something itself.
        self._said = False
        # The content of the open block: ("text", 0), ("thinking", 0), ("tool_use", the call's index), or the "call" or
        # "result" of a tool that runs here, with its number.
        self._open: tuple[str, int] | None = None

    def encode(self, event: Event) -> Iterator[bytes]:
        for each in self._turn.take(event):
            yield from self._told(each)

    def _told(self, event: Event) -> Iterator[bytes]:
        match event:
            case Text() if event.text:
                yield from self._within(("text", 0), {"type": "text", "text": ""})
                if self._sources or self.calls:
                    self._text.append(event.text)
                yield self._delta({"type": "text_delta", "text": event.text})
            case Reasoning() if event.text:
                yield from self._within(("thinking", 0), {"type": "thinking", "thinking": "", "signature": ""})
                yield self._delta({"type": "thinking_delta", "thinking": event.text})
            case Citation():
                yield from self._within(("text", 0), {"type": "text", "text": ""})
                yield self._delta({"type": "citations_delta", "citation": self._documents.citation(event)})
            case ToolCallDelta():
                block = {"type": "tool_use", "id": event.id or "", "name": event.name or "", "input": {}}
                yield from self._within(("tool_use", event.index), block)
                yield self._delta({"type": "input_json_delta", "partial_json": event.arguments})
            case HostedCall():
                yield from self._called(event)
            case Progress():
                yield _frame("ping")
            case _:
                return

    def _called(self, call: HostedCall) -> Iterator[bytes]:
        """A call that is made here: its block when it begins, that of its result when it is done."""
        use = server_blocks.use(call, self._answer_id)
        if use is None:
            return
        if call.done:
            self.calls.append(call)
            yield from self._within(("result", call.number), server_blocks.result(call, self._answer_id))
        else:
            yield from self._within(("call", call.number), {**use, "input": {}})
            yield self._delta({"type": "input_json_delta", "partial_json": dumps(use["input"]).decode()})
        yield from self._close()

    def end(self) -> Iterator[bytes]:
        """Send held events, close open blocks; an answer without content is one empty text."""
        for each in self._turn.rest():
            yield from self._told(each)
        if not self._said:
            yield from self._within(("text", 0), {"type": "text", "text": ""})
        yield from self._close()

    def _within(self, wanted: tuple[str, int], block: dict[str, Any]) -> Iterator[bytes]:
        if self._open == wanted:
            return
        yield from self._close()
        self._open = wanted
        self._said = self._said or wanted[0] not in ("call", "result")
        self._index += 1
        yield _frame("content_block_start", index=self._index, content_block=block)

    def _close(self) -> Iterator[bytes]:
        if self._open is not None:
            if self._text:
                # The whole text is known only now.
                text = "".join(self._text)
                for citation in (*citations(text, self._sources), *server_blocks.citations(text, self.calls)):
                    yield self._delta({"type": "citations_delta", "citation": citation})
                self._text = []
            self._open = None
            yield _frame("content_block_stop", index=self._index)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _frame("content_block_delta", index=self._index, delta=delta)


def _frame(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + dumps({"type": kind, **fields}) + b"\n\n"


def error_frame(error: MainspringError, trace_id: str) -> bytes:
    """A failure within a stream."""
    body = error_body(error, trace_id)
    del body["type"]
    return _frame("error", **body)


def _stop(finish: Finish) -> dict[str, Any]:
    if finish.reason == "stop" and finish.stopped_by:
        return {"stop_reason": "stop_sequence", "stop_sequence": finish.stopped_by}
    return {"stop_reason": _STOPPED[finish.reason], "stop_sequence": None}


def _shell(answer_id: str, model: str, usage: Usage, calls: Sequence[HostedCall] = ()) -> dict[str, Any]:
    content: Sequence[Any] = []
    return {
        "id": message_id(answer_id or "answer"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_body(usage, calls),
    }


def _input(arguments: str) -> dict[str, Any]:
    try:
        parsed = orjson.loads(arguments or "{}")
    except ValueError:
        return {"arguments": arguments}
    return parsed if isinstance(parsed, dict) else {"arguments": parsed}
