"""OpenAI's Responses API, outgoing: the events of a stream, numbered, one output item after the other."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

from mainspring.core.errors import MainspringError
from mainspring.core.path import Answer
from mainspring.core.types import Citation, Event, HostedCall, Reasoning, Response, Text, ToolCallDelta
from mainspring.http.openai.encode import bug, dumps, logprob_body
from mainspring.http.openai.encode import error_body as envelope
from mainspring.http.openai.event_order import EventOrder
from mainspring.http.openai.hosted import items as hosted
from mainspring.http.openai.response_ids import item_id
from mainspring.http.openai.responses_encode import Shell, annotation, call_kind, item_body, part_body
from mainspring.http.openai.responses_items import read_input

log = logging.getLogger("mainspring.gateway")
Frame = Mapping[str, Any]
WHOLE = ("response.completed", "response.incomplete")
ENDS = (*WHOLE, "response.failed")
"""The events that end a stream."""
_SILENT = ("file_search_call", *(each for each in hosted.KINDS if each != "mcp_approval_request"))
"""Items after which an answer that says nothing has an empty message."""


def frame_bytes(frame: Frame) -> bytes:
    """An event as a server-sent event."""
    return b"event: " + str(frame["type"]).encode() + b"\ndata: " + dumps(frame) + b"\n\n"


async def frames(response: Response, shell: Shell, begun: Encoder | None = None) -> AsyncGenerator[list[Frame], None]:
    """The events of a response, those that come together in one list; ``begun`` is the encoder that has told of its
    creation. A late failure ends them with ``response.failed``."""
    encoder = begun or Encoder(shell)
    answer = Answer(response.head)
    try:
        first = [] if begun else [encoder.frame("response.created", response=shell.body("in_progress"))]
        yield [*first, encoder.frame("response.in_progress", response=shell.body("in_progress"))]
        if shell.searched is not None:
            yield list(encoder.searched(shell))
        async with response:
            async for event in response:
                answer.add(event)
                if found := list(encoder.encode(event)):
                    yield found
        last = list(encoder.end())
        ended = shell.ended(answer, encoder.items())
        yield [*last, encoder.frame(f"response.{ended['status']}", response=ended)]
    except MainspringError as error:
        yield [encoder.frame("response.failed", response=shell.failed(error, answer, encoder.items()))]
    except Exception:
        log.exception("unexpected failure in a stream")
        yield [encoder.frame("response.failed", response=shell.failed(bug(), answer, encoder.items()))]


def error_body(error: MainspringError, sequence_number: int = 0) -> Frame:
    """A failure of a stream that has not begun: OpenAI's ``error`` event, with the fields of an ``error`` object."""
    facts = {"code": error.code, "message": error.told, "param": error.param}
    return {"type": "error", "sequence_number": sequence_number, **facts, "error": envelope(error)["error"]}


def error_frame(error: MainspringError) -> bytes:
    """``error_body`` as a server-sent event."""
    return frame_bytes(error_body(error))


class Encoder:
    """Events to stream events: one output item after the other, each added, filled and done."""

    def __init__(self, shell: Shell) -> None:
        self._id = shell.id
        self._tools = shell.tools
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
        self._include = shell.include
        # Calls that were made here, and the place of each in the output.
        self._hosted: list[HostedCall] = []
        self._places: dict[int, int] = {}
        self._done: list[dict[str, Any]] = []

    def items(self) -> list[dict[str, Any]]:
        """The output items in the order in which they were sent; one that is open is incomplete."""
        return self._done + ([self._whole("incomplete")] if self._open else [])

    def frame(self, kind: str, **fields: Any) -> Frame:
        self._sequence += 1
        return {"type": kind, "sequence_number": self._sequence, **fields}

    def searched(self, shell: Shell) -> Iterator[Frame]:
        """The events of a search that has been made."""
        assert shell.searched is not None
        begun = shell.searched.item(shell.id, results=False, status="in_progress")
        made = shell.searched.item(shell.id, results=shell.results)
        self._index += 1
        self._item_id = made["id"]
        yield self.frame("response.output_item.added", output_index=self._index, item=begun)
        for state in ("in_progress", "searching", "completed"):
            yield self._at(f"response.file_search_call.{state}")
        yield self.frame("response.output_item.done", output_index=self._index, item=made)
        self._done.append(made)

    def encode(self, event: Event) -> Iterator[Frame]:
        for each in self._turn.take(event):
            yield from self._told(each)

    def _told(self, event: Event) -> Iterator[Frame]:
        match event:
            case Text() if event.text:
                yield from self._within(("message", 0), "msg")
                self._text += event.text
                logprobs = [logprob_body(item) for item in event.logprobs]
                self._logprobs += logprobs
                yield self._at("response.output_text.delta", content_index=0, delta=event.text, logprobs=logprobs)
            case Citation():
                yield from self._within(("message", 0), "msg")
                found = annotation(event, self._text)
                number = len(self._annotations)
                self._annotations.append(found)
                kind = "response.output_text.annotation.added"
                yield self._at(kind, content_index=0, annotation_index=number, annotation=found)
            case Reasoning() if event.text:
                yield from self._within(("reasoning", 0), "rs")
                self._text += event.text
                yield self._at("response.reasoning_text.delta", content_index=0, delta=event.text)
            case HostedCall():
                yield from self._called(event)
            case ToolCallDelta():
                if self._place != event.index:
                    yield from self._close()
                    self._call = (event.id or "", event.name or "")
                kind, prefix = call_kind(self._call[1], self._tools)
                yield from self._within((kind, event.index), prefix)
                self._text += event.arguments
                if kind == "function_call":
                    yield self._at("response.function_call_arguments.delta", delta=event.arguments)
            case _:
                return

    def end(self) -> Iterator[Frame]:
        """Send held events, close open items; an answer without content is one empty message."""
        for each in self._turn.rest():
            yield from self._told(each)
        if self._open is None and all(item["type"] in _SILENT for item in self._done):
            yield from self._within(("message", 0), "msg")
        yield from self._close()

    def _called(self, call: HostedCall) -> Iterator[Frame]:
        """A call that is made here: its item is added when it begins."""
        yield from self._close()
        place = self._places.get(call.number)
        if place is None:
            self._index += 1
            place = self._places[call.number] = self._index
            first = hosted.begun(call, self._id)
            self._done.append(first)
            yield self.frame("response.output_item.added", output_index=place, item=first)
        made = hosted.item(call, self._id, self._include)
        for kind, fields in hosted.frames(call, made):
            yield self.frame(kind, item_id=made["id"], output_index=place, **fields)
        if call.done:
            self._hosted.append(call)
            number = next(n for n, each in enumerate(self._done) if each["id"] == made["id"])
            self._done[number] = made
            yield self.frame("response.output_item.done", output_index=place, item=made)

    def _at(self, kind: str, **fields: Any) -> Frame:
        return self.frame(kind, item_id=self._item_id, output_index=self._index, **fields)

    @property
    def _place(self) -> int | None:
        """The index of the call that is open."""
        return None if self._open is None or self._open[0] in ("message", "reasoning") else self._open[1]

    def _within(self, wanted: tuple[str, int], prefix: str) -> Iterator[Frame]:
        if self._open == wanted:
            return
        yield from self._close()
        if wanted[0] in ("message", "reasoning"):
            again = sum(item["type"] == wanted[0] for item in self._done)
            self._item_id = item_id(prefix, self._id, again)
        else:
            self._item_id = item_id(prefix, self._id, wanted[1] + 1)
        self._open, self._text = wanted, ""
        self._annotations, self._logprobs = [], []
        self._index += 1
        item = self._whole("in_progress")
        yield self.frame("response.output_item.added", output_index=self._index, item=item)
        if wanted[0] == "message":
            yield self._at("response.content_part.added", content_index=0, part=part_body("", []))
        elif wanted[0] == "reasoning":
            yield self._at("response.content_part.added", content_index=0, part=_thought(""))

    def _close(self) -> Iterator[Frame]:
        if self._open is None:
            return
        kind = self._open[0]
        if kind == "message":
            for found in hosted.citations(self._text, self._hosted):
                number = len(self._annotations)
                self._annotations.append(found)
                told = {"content_index": 0, "annotation_index": number, "annotation": found}
                yield self._at("response.output_text.annotation.added", **told)
            yield self._at("response.output_text.done", content_index=0, text=self._text, logprobs=self._logprobs)
            yield self._at("response.content_part.done", content_index=0, part=part_body(self._text, self._annotations))
        elif kind == "reasoning":
            yield self._at("response.reasoning_text.done", content_index=0, text=self._text)
            yield self._at("response.content_part.done", content_index=0, part=_thought(self._text))
        elif kind == "custom_tool_call":
            # Its text is known once the arguments around it are complete.
            text = read_input(self._text)
            yield self._at("response.custom_tool_call_input.delta", delta=text)
            yield self._at("response.custom_tool_call_input.done", input=text)
        else:
            name = self._tools.shown(self._call[1])["name"]
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
            part = {**part_body(self._text, self._annotations), "logprobs": self._logprobs}
        call = (*self._call, self._text)
        return item_body(kind, self._item_id, status=status, part=part, text=self._text, call=call, tools=self._tools)


def _thought(text: str) -> dict[str, Any]:
    return {"type": "reasoning_text", "text": text}
