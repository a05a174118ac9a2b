"""Every field of the official clients' requests is honoured, or refused by its name, or named here as one that changes
no answer: nothing is silently ignored."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Callable
from typing import Any

import pytest
from anthropic.types import message_count_tokens_params, message_create_params
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params
from pydantic import BaseModel, ValidationError

from mainspring.core.errors import MainspringError
from mainspring.http.anthropic.requests import CountBody, MessagesBody
from mainspring.http.fields import ignored, kind_of
from mainspring.http.openai.requests import ChatBody
from mainspring.http.openai.responses_requests import ResponsesBody
from mainspring.http.openai.text_requests import CompletionBody, EmbeddingBody, undecoded

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
FLAT = {"type": "function", "name": "f", "parameters": {"type": "object"}}
THEIRS = {"name": "f", "input_schema": {"type": "object"}}
SCHEMA = {"type": "object"}
HELLO = [{"role": "user", "content": "Hi"}]

# What each field becomes is asked with a value that must change the request. A callable gets the body.
Body = type[BaseModel]
CASES: dict[str, tuple[Any, Body, dict[str, Any], Callable[[Any], Any]]] = {
    "chat": (
        chat_create_params.CompletionCreateParamsBase,
        ChatBody,
        {"model": "m", "messages": HELLO},
        lambda body: body.request(8),
    ),
    "completions": (
        completion_create_params.CompletionCreateParamsBase,
        CompletionBody,
        {"model": "m", "prompt": "Hi"},
        lambda body: (asyncio.run(body.requests(undecoded)), body.echo),
    ),
    "embeddings": (
        embedding_create_params.EmbeddingCreateParams,
        EmbeddingBody,
        {"model": "m", "input": "Hi"},
        lambda body: asyncio.run(body.request(8, undecoded)),
    ),
    "responses": (
        response_create_params.ResponseCreateParamsBase,
        ResponsesBody,
        {"model": "m", "input": "Hi"},
        lambda body: body.request((), 8),
    ),
    "messages": (
        message_create_params.MessageCreateParamsBase,
        MessagesBody,
        {"model": "m", "max_tokens": 8, "messages": HELLO},
        lambda body: body.request(8),
    ),
    "count_tokens": (
        message_count_tokens_params.MessageCountTokensParams,
        CountBody,
        {"model": "m", "messages": HELLO},
        lambda body: body.request(8),
    ),
}
VALUES: dict[str, Any] = {
    **dict.fromkeys(("model", "instructions", "user", "safety_identifier", "system"), "other"),
    **dict.fromkeys(("suffix", "verbosity", "service_tier"), "priority"),
    **dict.fromkeys(("prompt", "input"), "Bye"),
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), 0.5),
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "max_output_tokens", "max_tool_calls"), 7),
    **dict.fromkeys(("n", "top_k", "seed", "best_of", "num_beams"), 3),
    "stop": ["x"],
    "stop_sequences": ["x"],
    **dict.fromkeys(("background", "echo"), True),
    **dict.fromkeys(("store", "parallel_tool_calls"), False),
    "messages": [{"role": "user", "content": "Bye"}],
    "previous_response_id": "ans_1",
    "truncation": "auto",
    "logit_bias": {"50256": -100},
    "metadata": {"user_id": "ada"},
    "include": ["message.output_text.logprobs"],
    "reasoning": {"effort": "high"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
    "min_p": 0.2,
}
# A field that needs another one, or has another form somewhere.
MORE: dict[tuple[str, str], dict[str, Any]] = {
    ("chat", "logprobs"): {"logprobs": True},
    ("chat", "top_logprobs"): {"logprobs": True, "top_logprobs": 2},
    ("chat", "tools"): {"tools": [TOOL]},
    ("chat", "functions"): {"functions": [TOOL["function"]]},
    ("chat", "function_call"): {"functions": [TOOL["function"]], "function_call": {"name": "f"}},
    ("chat", "tool_choice"): {"tools": [TOOL], "tool_choice": "required"},
    ("completions", "logprobs"): {"logprobs": 2},
    ("responses", "top_logprobs"): {"top_logprobs": 2},
    ("responses", "tools"): {"tools": [FLAT]},
    ("responses", "tool_choice"): {"tools": [FLAT], "tool_choice": "required"},
    ("responses", "metadata"): {"metadata": {"a": "b"}},
    ("messages", "tools"): {"tools": [THEIRS]},
    ("messages", "tool_choice"): {"tools": [THEIRS], "tool_choice": {"type": "any"}},
    ("count_tokens", "tools"): {"tools": [THEIRS]},
    ("count_tokens", "tool_choice"): {"tools": [THEIRS], "tool_choice": {"type": "any"}},
}
NO_ANSWER_CHANGES = {
    # Kept with a response and given back with it; elsewhere nothing is kept under it.
    "metadata",
    # The beginnings of prompts are cached unasked.
    *("prompt_cache_key", "prompt_cache_retention", "cache_control"),
    # How an answer is written down.
    *("stream_options", "encoding_format"),
}
"""Fields that change no answer, and may be sent."""
ELSEWHERE = {
    *(("embeddings", "dimensions"), ("responses", "background"), ("responses", "conversation")),
    *(("responses", "max_tool_calls"), ("responses", "truncation")),
}
"""Fields that the route honours or refuses, around the request: tests/gateway/{test_openai_client.py,responses}."""


def fields() -> list[tuple[str, str]]:
    return [(name, field) for name, (theirs, *_) in CASES.items() for field in sorted(typing.get_type_hints(theirs))]


def made(case: str, **fields: Any) -> Any:
    _, kind, least, request = CASES[case]
    return request(kind.model_validate({**least, **fields}))


@pytest.mark.parametrize(("case", "field"), fields())
def test_a_field_of_the_official_client_is_honoured_or_refused(case: str, field: str) -> None:
    _, kind, *_ = CASES[case]
    known = {info.alias or name: info for name, info in kind.model_fields.items()}
    if field in known and kind_of(known[field])[0] == "hint":
        assert not fault(case, sent := {field: {"any": ["value"]}})
        assert ignored(kind, sent) == [field]
        return
    if field in known and (
        (case, field) in ELSEWHERE or (field in NO_ANSWER_CHANGES and (case, field) != ("messages", "metadata"))
    ):
        return
    sent = MORE.get((case, field)) or {field: VALUES.get(field, "a value")}
    without = {name: value for name, value in sent.items() if name != field}
    blamed = fault(case, sent)
    if not blamed and any(name.startswith(field) for name in ignored(kind, sent)):
        return
    assert blamed.startswith(field) if blamed else made(case, **sent) != made(case, **without)


def fault(case: str, sent: dict[str, Any]) -> str:
    """Which field a request is refused for; empty where it is not."""
    try:
        made(case, **sent)
    except MainspringError as error:
        return error.param or "nothing"
    except ValidationError as error:
        first = error.errors()[0]
        return str((first.get("ctx") or {}).get("name") or first["loc"][0])
    return ""


def test_what_may_be_sent_without_effect_exists() -> None:
    offered = {field for _, field in fields()}
    assert offered >= NO_ANSWER_CHANGES
    assert set(fields()) >= ELSEWHERE


@pytest.mark.parametrize(
    ("case", "fields", "param"),
    [
        ("chat", {"max_tokens": 4, "max_completion_tokens": 5}, "max_completion_tokens"),
        ("chat", {"messages": [*HELLO, {"role": "function", "name": "f", "content": ""}]}, "messages[1].name"),
        ("chat", {"tools": [TOOL], "functions": [TOOL["function"]]}, "functions"),
        ("chat", {"functions": [TOOL["function"]], "function_call": {"name": "g"}}, "function_call"),
        ("responses", {"reasoning": {"summary": "detailed"}}, "reasoning.summary"),
        ("responses", {"tools": [{**FLAT, "defer_loading": True}]}, "tools[0].defer_loading"),
    ],
)
def test_what_stands_within_a_field_is_not_ignored_either(case: str, fields: dict[str, Any], param: str) -> None:
    blamed = fault(case, fields)
    told = [blamed] if blamed else ignored(CASES[case][1], fields)
    # What is ignored is named without its place in a list.
    assert any(name.endswith(param) or name == param.replace("[0]", "") for name in told), told


@pytest.mark.parametrize("case", ["chat", "responses", "messages"])
def test_a_strict_tool_stays_strict(case: str) -> None:
    strict: dict[str, Any] = {
        "chat": {"type": "function", "function": {"name": "f", "strict": True}},
        "responses": {**FLAT, "strict": True},
        "messages": {**THEIRS, "strict": True},
    }
    assert made(case, tools=[strict[case]]).tools[0].strict
    assert not made(case, tools=[{"chat": TOOL, "responses": FLAT, "messages": THEIRS}[case]]).tools[0].strict
