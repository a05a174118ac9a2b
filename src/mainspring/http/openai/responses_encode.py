"""OpenAI's Responses API, outgoing: response objects and their items.

Citations become ``file_citation`` annotations, with ``quote``, ``start``, ``end`` and ``page`` beside OpenAI's fields.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.errors import MainspringError
from mainspring.core.path import Answer, Choice
from mainspring.core.types import ChatRequest, Citation, FinishReason, Head, Usage
from mainspring.http.openai.encode import logprob_body
from mainspring.http.openai.hosted import items as hosted
from mainspring.http.openai.response_ids import item_id, response_id
from mainspring.http.openai.responses_items import read_input
from mainspring.http.openai.responses_searches import Searched
from mainspring.http.openai.responses_tools import ToolBody, ToolSet

_INCOMPLETE: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
SEARCHED = "searched"
"""The field of what a response repeats that is for its record alone."""


def usage_body(usage: Usage, reasoning_tokens: int = 0) -> dict[str, Any]:
    """OpenAI's usage object; ``cost_usd`` is an extension."""
    body: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
    if usage.cost_nanousd:
        body["cost_usd"] = usage.cost_nanousd / 1e9
    return body


def reasoning_tokens(answer: Answer) -> int:
    """The output tokens that were thoughts: by their share of the characters, because no engine counts them apart."""
    thought = sum(len(choice.reasoning) for choice in answer.choices)
    if not thought:
        return 0
    calls = [call for choice in answer.choices for call in choice.tool_calls]
    said = sum(len(choice.text) for choice in answer.choices) + sum(len(call.name + call.arguments) for call in calls)
    return round(answer.usage.completion_tokens * thought / (thought + said))


def repeated(request: ChatRequest, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The request fields that a response repeats; ``asked`` are those repeated as sent. Unset sampling has OpenAI's
    defaults, which are those of the engines here."""
    sampling = request.sampling
    set_ = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "max_output_tokens": sampling.max_tokens,
        "top_logprobs": sampling.logprobs,
        "user": request.user,
    }
    return {
        **{name: value for name, value in set_.items() if value is not None},
        "parallel_tool_calls": request.parallel_tool_calls,
        "previous_response_id": None if request.previous is None else response_id(request.previous),
        "store": request.store,
        **asked,
    }


@dataclass(frozen=True, slots=True)
class Shell:
    """The part of a response that is known before the answer. ``created_at`` is in Unix seconds."""

    id: str
    model: str
    created_at: float
    asked: Mapping[str, Any] = field(default_factory=dict)
    tools: ToolSet = ToolSet()
    searched: Searched | None = None
    results: bool = False
    include: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        head: Head,
        asked: Mapping[str, Any],
        searched: Searched | None = None,
        *,
        results: bool = False,
        include: frozenset[str] = frozenset(),
    ) -> Shell:
        """``asked`` are the fields of the request that a response repeats; ``results``: what was searched is shown;
        ``include`` names further parts of items."""
        made = response_id(head.answer_id or "answer")
        return cls(made, head.model, time.time(), asked, tools_of(asked), searched, results, include)

    def body(self, status: str, **fields: Any) -> dict[str, Any]:
        """The response object in this state."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": int(self.created_at),
            "completed_at": None,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "max_tool_calls": None,
            "metadata": {},
            "model": self.model,
            "output": [],
            "parallel_tool_calls": True,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "previous_response_id": None,
            "prompt_cache_key": None,
            "reasoning": {"effort": None, "summary": None},
            "safety_identifier": None,
            "service_tier": "default",
            "store": True,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": 0,
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
            "user": None,
            **{name: value for name, value in self.asked.items() if value is not None and name != SEARCHED},
            **fields,
        }

    def ended(
        self, answer: Answer, items: list[dict[str, Any]] | None = None, at: float | None = None
    ) -> dict[str, Any]:
        """The response object of a whole answer that ended ``at`` (now); ``items`` are those that a stream has told."""
        finish = (answer.choices[0].finish if answer.choices else None) or "stop"
        reason = _INCOMPLETE.get(finish)
        return self.body(
            "incomplete" if reason else "completed",
            completed_at=None if reason else int(time.time() if at is None else at),
            incomplete_details={"reason": reason} if reason else None,
            output=self.items(answer) if items is None else items,
            usage=usage_body(answer.usage, reasoning_tokens(answer)),
        )

    def items(self, answer: Answer) -> list[dict[str, Any]]:
        """The output items of an answer, those of searches first."""
        made = [] if self.searched is None else [self.searched.item(self.id, results=self.results)]
        return made + output(self.id, answer, self.tools, self.include)

    def failed(self, error: MainspringError, answer: Answer, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The response object of an answer that broke off after ``items`` had been sent."""
        facts = {"code": error.code, "message": error.told}
        return self.body("failed", error=facts, output=items, usage=usage_body(answer.usage, reasoning_tokens(answer)))


def tools_of(asked: Mapping[str, Any]) -> ToolSet:
    """The tools that a response repeats."""
    try:
        return ToolSet.of([ToolBody.model_validate(each) for each in asked.get("tools") or ()])
    except (MainspringError, ValueError):
        # A response that another version stored may have others.
        return ToolSet()


def output(
    answer_id: str,
    answer: Answer,
    tools: ToolSet = ToolSet(),  # noqa: B008
    include: frozenset[str] = frozenset(),
) -> list[dict[str, Any]]:
    """The output items of an answer: thoughts, calls that were made here with the text between them, the message,
    calls."""
    choice = answer.choices[0] if answer.choices else Choice()
    items: list[dict[str, Any]] = []
    if choice.reasoning:
        items.append(item_body("reasoning", item_id("rs", answer_id), text=choice.reasoning))
    place, texts, hosts = 0, 0, [host for _, host in answer.hosted]
    for number, (at, host) in enumerate(answer.hosted):
        if said := choice.text[place:at]:
            part = part_body(said, hosted.citations(said, hosts[:number]))
            items.append(item_body("message", item_id("msg", answer_id, texts), part=part))
            texts += 1
        place = at
        items.append(hosted.item(host, answer_id, include))
    said = choice.text[place:]
    asks = any(host.kind == "mcp_approval_request" for host in hosts)
    if said or not (choice.tool_calls or asks):
        cited = [annotation(citation, said) for citation in answer.citations]
        part = part_body(said, cited + hosted.citations(said, hosts))
        part["logprobs"] = [] if hosts else [logprob_body(item) for item in choice.logprobs]
        items.append(item_body("message", item_id("msg", answer_id, texts), part=part))
    for index, call in enumerate(choice.tool_calls):
        kind, prefix = call_kind(call.name, tools)
        made = (call.id, call.name, call.arguments)
        items.append(item_body(kind, item_id(prefix, answer_id, index + 1), call=made, tools=tools))
    return items


def call_kind(name: str, tools: ToolSet) -> tuple[str, str]:
    """The type of a call's item, and the prefix of its id."""
    return ("custom_tool_call", "ctc") if name in tools.custom else ("function_call", "fc")


def annotation(citation: Citation, text: str) -> dict[str, Any]:
    """A citation after ``text`` as an annotation. ``file_id`` is the uploaded file's, whose content can be fetched; a
    document that was not uploaded has only its own id."""
    whole = dataclasses.asdict(citation)
    kept = {name: whole[name] for name in ("quote", "start", "end", "page", "heading", "support")}
    return {
        "type": "file_citation",
        "file_id": citation.file_id or citation.document_id,
        "filename": citation.source,
        "index": len(text),
        "document_id": citation.document_id,
        **kept,
    }


def item_body(
    kind: str,
    item_id: str,
    *,
    status: str = "completed",
    part: Mapping[str, Any] | None = None,
    text: str = "",
    call: tuple[str, str, str] = ("", "", ""),
    tools: ToolSet = ToolSet(),  # noqa: B008
) -> dict[str, Any]:
    """An output item; ``call`` is the id, name and arguments of a tool's call."""
    item: dict[str, Any] = {"type": kind, "id": item_id, "status": status}
    if kind == "message":
        return {**item, "role": "assistant", "content": [part] if part else []}
    if kind == "reasoning":
        return {**item, "summary": [], "content": [{"type": "reasoning_text", "text": text}] if text else []}
    called, name, arguments = call
    named = {"call_id": called, **tools.shown(name)}
    if kind == "custom_tool_call":
        return {**item, **named, "input": read_input(arguments) if arguments else ""}
    return {**item, **named, "arguments": arguments}


def part_body(text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    """The part of a message that is its text."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
