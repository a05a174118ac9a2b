"""OpenAI's Responses API, outgoing: response objects and their stream events.

Citations become ``file_citation`` annotations, with ``quote``, ``start``, ``end`` and ``page`` beside OpenAI's fields.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.errors import MainspringError
from mainspring.core.path import Answer, Choice
from mainspring.core.types import (
    ChatRequest,
    Citation,
    Event,
    FinishReason,
    Head,
    Reasoning,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)
from mainspring.http.openai.encode import bug, dumps, logprob_body
from mainspring.http.openai.event_order import EventOrder

log = logging.getLogger("mainspring.gateway")
_INCOMPLETE: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


def usage_body(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage object; ``cost_usd`` is an extension. Thoughts are among the output tokens, uncounted."""
    body: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total_tokens,
    }
    if usage.cost_nanousd:
        body["cost_usd"] = usage.cost_nanousd / 1e9
    return body


def repeated(request: ChatRequest, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The request fields that a response repeats; ``asked`` are those repeated as sent."""
    sampling = request.sampling
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_output_tokens": sampling.max_tokens,
        "parallel_tool_calls": request.parallel_tool_calls,
        "previous_response_id": request.previous,
        "store": request.store,
        "user": request.user,
        **asked,
    }


@dataclass(frozen=True, slots=True)
class Shell:
    """The part of a response that is known before the answer."""

    id: str
    model: str
    created_at: float
    asked: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, head: Head, asked: Mapping[str, Any]) -> Shell:
        """``asked`` are the fields of the request that a response repeats."""
        return cls(head.answer_id or "answer", head.model, time.time(), asked)

    def body(self, status: str, **fields: Any) -> dict[str, Any]:
        """The response object in this state."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": self.model,
            "output": [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": None,
            **self.asked,
            **fields,
        }

    def ended(self, answer: Answer, items: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """The response object of a whole answer; ``items`` are those that a stream has told."""
        finish = (answer.choices[0].finish if answer.choices else None) or "stop"
        reason = _INCOMPLETE.get(finish)
        return self.body(
            "incomplete" if reason else "completed",
            incomplete_details={"reason": reason} if reason else None,
            output=output(self.id, answer) if items is None else items,
            usage=usage_body(answer.usage),
        )

    def failed(self, error: MainspringError, answer: Answer, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The response object of an answer that broke off after ``items`` had been sent."""
        facts = {"code": error.code, "message": error.told}
        return self.body("failed", error=facts, output=items, usage=usage_body(answer.usage))


def output(answer_id: str, answer: Answer) -> list[dict[str, Any]]:
    """The output items of an answer: thoughts, the message, calls."""
    choice = answer.choices[0] if answer.choices else Choice()
    items: list[dict[str, Any]] = []
    if choice.reasoning:
        items.append(_item("reasoning", f"rs_{answer_id}", text=choice.reasoning))
    if choice.text or not choice.tool_calls:
        part = _part(choice.text, [annotation(citation, choice.text) for citation in answer.citations])
        part["logprobs"] = [logprob_body(item) for item in choice.logprobs]
        items.append(_item("message", f"msg_{answer_id}", part=part))
    items += [
        _item("function_call", f"fc_{call.id}", call=(call.id, call.name, call.arguments)) for call in choice.tool_calls
    ]
    return items


def annotation(citation: Citation, text: str) -> dict[str, Any]:
    """A citation after ``text`` as an annotation."""
    whole = dataclasses.asdict(citation)
    kept = {name: whole[name] for name in ("quote", "start", "end", "page", "heading", "support")}
    return {
        "type": "file_citation",
        "file_id": citation.document_id,
        "filename": citation.source,
        "index": len(text),
        **kept,
    }


async def stream(response: Response, shell: Shell) -> AsyncGenerator[bytes, None]:
    """The server-sent events of a response, numbered. A late failure ends it with ``response.failed``."""
    encoder = _Encoder(shell)
    answer = Answer(response.head)
    try:
        yield encoder.frame("response.created", response=shell.body("in_progress"))
        yield encoder.frame("response.in_progress", response=shell.body("in_progress"))
        async with response:
            async for event in response:
                answer.add(event)
                if frames := b"".join(encoder.encode(event)):
                    yield frames
        yield b"".join(encoder.end())
        ended = shell.ended(answer, encoder.items())
        yield encoder.frame(f"response.{ended['status']}", response=ended)
    except MainspringError as error:
        yield encoder.frame("response.failed", response=shell.failed(error, answer, encoder.items()))
    except Exception:
        log.exception("unexpected failure in a stream")
        yield encoder.frame("response.failed", response=shell.failed(bug(), answer, encoder.items()))


def error_frame(error: MainspringError) -> bytes:
    """A failure of a stream that has not begun: OpenAI's ``error`` event."""
    facts = {"code": error.code, "message": error.told, "param": error.param}
    body = {"type": "error", "sequence_number": 0, **facts}
    return b"event: error\ndata: " + dumps(body) + b"\n\n"


class _Encoder:
    """Events to stream events: one output item after the other, each added, filled and done."""

    def __init__(self, shell: Shell) -> None:
        self._id = shell.id
        self._sequence = -1
        self._index = -1
        # The item that is open: its type, and the call's index for calls.
        self._open: tuple[str, int] | None = None
        self._item_id = ""
        self._text = ""
        self._annotations: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []
        self._call = ("", "")
        self._turn = EventOrder()
        self._done: list[dict[str, Any]] = []

    def items(self) -> list[dict[str, Any]]:
        """The output items in the order in which they were sent; one that is open is incomplete."""
        return self._done + ([self._whole("incomplete")] if self._open else [])

    def frame(self, kind: str, **fields: Any) -> bytes:
        self._sequence += 1
        body = {"type": kind, "sequence_number": self._sequence, **fields}
        return b"event: " + kind.encode() + b"\ndata: " + dumps(body) + b"\n\n"

    def encode(self, event: Event) -> Iterator[bytes]:
        for each in self._turn.take(event):
            yield from self._told(each)

    def _told(self, event: Event) -> Iterator[bytes]:
        match event:
            case Text() if event.text:
                yield from self._within(("message", 0), f"msg_{self._id}")
                self._text += event.text
                logprobs = [logprob_body(item) for item in event.logprobs]
                self._logprobs += logprobs
                yield self._at("response.output_text.delta", content_index=0, delta=event.text, logprobs=logprobs)
            case Citation():
                yield from self._within(("message", 0), f"msg_{self._id}")
                found = annotation(event, self._text)
                number = len(self._annotations)
                self._annotations.append(found)
                kind = "response.output_text.annotation.added"
                yield self._at(kind, content_index=0, annotation_index=number, annotation=found)
            case Reasoning() if event.text:
                yield from self._within(("reasoning", 0), f"rs_{self._id}")
                self._text += event.text
                yield self._at("response.reasoning_text.delta", content_index=0, delta=event.text)
            case ToolCallDelta():
                if self._open != ("function_call", event.index):
                    yield from self._close()
                    self._call = (event.id or "", event.name or "")
                yield from self._within(("function_call", event.index), f"fc_{self._call[0]}")
                self._text += event.arguments
                yield self._at("response.function_call_arguments.delta", delta=event.arguments)
            case _:
                return

    def end(self) -> Iterator[bytes]:
        """Send held events, close open items; an answer without content is one empty message."""
        for each in self._turn.rest():
            yield from self._told(each)
        if self._index < 0:
            yield from self._within(("message", 0), f"msg_{self._id}")
        yield from self._close()

    def _at(self, kind: str, **fields: Any) -> bytes:
        return self.frame(kind, item_id=self._item_id, output_index=self._index, **fields)

    def _within(self, wanted: tuple[str, int], item_id: str) -> Iterator[bytes]:
        if self._open == wanted:
            return
        yield from self._close()
        again = sum(item["type"] == wanted[0] for item in self._done) if wanted[0] != "function_call" else 0
        self._open, self._item_id, self._text = wanted, f"{item_id}_{again}" if again else item_id, ""
        self._annotations, self._logprobs = [], []
        self._index += 1
        item = self._whole("in_progress")
        yield self.frame("response.output_item.added", output_index=self._index, item=item)
        if wanted[0] == "message":
            yield self._at("response.content_part.added", content_index=0, part=_part("", []))

    def _close(self) -> Iterator[bytes]:
        if self._open is None:
            return
        kind = self._open[0]
        if kind == "message":
            yield self._at("response.output_text.done", content_index=0, text=self._text, logprobs=self._logprobs)
            yield self._at("response.content_part.done", content_index=0, part=_part(self._text, self._annotations))
        elif kind == "reasoning":
            yield self._at("response.reasoning_text.done", content_index=0, text=self._text)
        else:
            name = self._call[1]
            yield self._at("response.function_call_arguments.done", name=name, arguments=self._text)
        item = self._whole("completed")
        self._done.append(item)
        yield self.frame("response.output_item.done", output_index=self._index, item=item)
        self._open = None

    def _whole(self, status: str) -> dict[str, Any]:
        assert self._open is not None
        kind = self._open[0]
        part = None
        if kind == "message" and status != "in_progress":
            part = {**_part(self._text, self._annotations), "logprobs": self._logprobs}
        call = (*self._call, self._text)
        return _item(kind, self._item_id, status=status, part=part, text=self._text, call=call)


def _item(
    kind: str,
    item_id: str,
    *,
    status: str = "completed",
    part: Mapping[str, Any] | None = None,
    text: str = "",
    call: tuple[str, str, str] = ("", "", ""),
) -> dict[str, Any]:
    item: dict[str, Any] = {"type": kind, "id": item_id, "status": status}
    if kind == "message":
        return {**item, "role": "assistant", "content": [part] if part else []}
    if kind == "reasoning":
        return {**item, "summary": [], "content": [{"type": "reasoning_text", "text": text}] if text else []}
    return {**item, "call_id": call[0], "name": call[1], "arguments": call[2]}


def _part(text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
