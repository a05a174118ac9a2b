"""OpenAI: stored chat completions with their messages, logs of requests with responses, and chat JSON Lines.

A line is one of: a stored completion with ``messages`` (or ``input``) beside its ``choices``; a ``request`` with its
``response`` (or the ``body`` of it, as in the output of batches); ``messages`` that end with an answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.features.imports import making
from mainspring.features.imports.drafts import (
    BadRecord,
    Draft,
    Importing,
    LeftOut,
    Record,
    count,
    mapping,
    moment,
    text_of,
)
from mainspring.features.imports.messages import messages_of, said_of

NAME = "openai"


class OpenAI:
    """Reads OpenAI."""

    def drafts(self, record: Record, importing: Importing) -> Iterator[Draft]:
        request, response = mapping(record.get("request")), mapping(record.get("response"))
        response = mapping(response.get("body")) or response or record
        request = mapping(request.get("body")) or request or record
        messages = messages_of(request.get("messages") or request.get("input"))
        if not messages:
            raise BadRecord("messages are missing")
        if "choices" in response or "output" in response:
            if not isinstance(response.get("choices", []), list):
                raise BadRecord("choices are not a list")
            said = said_of({"choices": response["choices"]} if response.get("choices") else response.get("output"))
        elif messages[-1]["role"] == "assistant":
            said = said_of(messages.pop())
        else:
            raise LeftOut("a conversation without an answer")
        if not said or not messages:
            raise LeftOut("an answer without text")
        name = text_of(response, "id") or text_of(record, "id", "custom_id") or _digest(record)
        at = _at(record, response, importing)
        yield from _both(name, at, record, {**request, **response}, messages, said, importing)


def _both(
    name: str,
    at: float,
    record: Record,
    about: Mapping[str, Any],
    messages: Any,
    said: Any,
    importing: Importing,
) -> Iterator[Draft]:
    usage, notes = mapping(about.get("usage")), mapping(about.get("metadata"))
    tokens = (
        count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        count(usage.get("completion_tokens", usage.get("output_tokens"))),
    )
    model = text_of(about, "model")
    choices = about.get("choices")
    first = mapping(choices[0]) if isinstance(choices, list) and choices else {}
    finish = text_of(first, "finish_reason") or "stop"
    user = text_of(about, "safety_identifier", "input_user", "user") or text_of(notes, "user_id", "user")
    key = f"answer:{name}"
    if model:
        cached = count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
        call = making.call_facts(
            NAME, importing, model=model, provider=NAME, tokens=tokens, cached=cached, finish=finish
        )
        yield Draft(f"call:{name}", call, at, name, key)
    facts = making.answer_facts(
        NAME,
        importing,
        model=model,
        requested=text_of(notes, "application", "name"),
        said=said,
        tokens=tokens,
        session_id=text_of(notes, "session_id", "conversation_id"),
        user=user,
        finish=finish,
    )
    yield Draft(key, facts, at, name, key, making.content(messages, said), user)
    rated = record.get("feedback", notes.get("feedback"))
    if rated is not None and (given := making.opinion(NAME, importing, "feedback", rated)) is not None:
        yield Draft(f"feedback:{name}", given, at, name, key)


def _at(record: Record, response: Mapping[str, Any], importing: Importing) -> float:
    for holder in (response, record):
        for name in ("created", "created_at", "timestamp"):
            if holder.get(name) is not None:
                return moment(holder[name], name)
    return importing.now


def _digest(record: Record) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode(errors="replace")).hexdigest()[:32]
