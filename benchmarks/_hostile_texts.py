"""Input of an attacker: long texts of one piece, repeated, through every route that reads a text.

What such a text costs is the square of its length where a regular expression or a loop looks at the rest of the text
from each place: 20,000 digits once held a server for two minutes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from _hostile import MODEL, Input, given, upload
from _hostile_features import CHATS, body

LONG = 300_000
COLLECTION = "hostile"
WRITING_S = 6.0
"""What a model makes of such texts is not waited for: reading them is what is measured."""
TEXTS = {
    "digits": "1",
    "letters": "a",
    "spaces": " ",
    "lines": "\n",
    "commas": "1,",
    "points": ". ",
    "full stops": ".",
    "brackets": "[[",
    "quotes": '"',
    "tags": "<",
    "capitals and signs": "aA1-",
    "underscores": "a_",
    "addresses": "a.b@c.",
    "links": "http://a.b/c?d=",
    "cells": "| a | 1 |\n",
    "escapes": '"\\',
    "fences": "```",
    "headings": "# a   ",
    "months": "3 May 2024 or 1.5 kg, ",
    "names": "Is Ann Lee more than Bob Day and ",
    "combining marks": "e\u0301\u0301",
    "characters": "\u3002\uff01",
}
HEADS = {
    "a heading and spaces": ("# a", " "),
    "a favourite and spaces": ("My favourite", " "),
    "a question and spaces": ("What is this?", " "),
    "a password and spaces": ("password:", " "),
    "a fence and spaces": ("``` a", " "),
}
"""What stands once, and what follows again and again."""


def made(size: int) -> Iterator[tuple[str, str]]:
    """(name, text) of all, ``size`` characters each."""
    for name, piece in TEXTS.items():
        yield name, (piece * size)[: size - 1] + "~"
    for name, (once, piece) in HEADS.items():
        yield name, once + piece * (size - len(once) - 1) + "~"


def texts() -> Iterator[Input]:
    """All of them."""
    yield from _documents()
    for route, (method, path, size, asked) in _routes().items():
        for name, text in made(size):
            sent = partial(_sent, asked, text)
            said = f"{route} / {name} / {size:,} characters"
            yield Input(said, method, path, sent, patience_s=WRITING_S)


def _sent(asked: Callable[[str], dict[str, Any]], text: str) -> bytes:
    return body(**asked(text))


def _said(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": text}]}


def _with_tool(text: str) -> dict[str, Any]:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"a": text})}}
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": text},
    ]
    return {"model": MODEL, "max_tokens": 1, "messages": messages}


def _name(text: str) -> str:
    """A name of its own for each text."""
    return f"q{zlib.crc32(text.encode())}"


def _a2a(text: str) -> dict[str, Any]:
    parts = {"role": "user", "messageId": "m", "parts": [{"kind": "text", "text": text}]}
    return {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": parts}}


def _mcp(text: str) -> dict[str, Any]:
    asked = {"name": "ask", "arguments": {"question": text, "query": text, "model": COLLECTION}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}


_Route = tuple[str, str, int, Callable[[str], dict[str, Any]]]


def _routes() -> dict[str, _Route]:
    return _of_models() | _of_features()


def _of_models() -> dict[str, _Route]:
    post, store = "POST", "/v1/vector_stores/STORE"
    return {
        "a chat": (post, CHATS, LONG, partial(_said, MODEL)),
        "a chat, shorter": (post, CHATS, 20_000, partial(_said, MODEL)),
        "a tool's result": (post, CHATS, LONG, _with_tool),
        "a collection asked": (post, CHATS, LONG, partial(_said, COLLECTION)),
        "a collection asked, shorter": (post, CHATS, 20_000, partial(_said, COLLECTION)),
        "the assistant": (post, CHATS, 20_000, partial(_said, "assistant")),
        "the assistant, short": (post, CHATS, 3_000, partial(_said, "assistant")),
        "support": (post, CHATS, 20_000, partial(_said, "support")),
        "support, short": (post, CHATS, 3_000, partial(_said, "support")),
        "responses": (post, "/v1/responses", LONG, lambda text: {"model": MODEL, "input": text}),
        "messages": (post, "/v1/messages", LONG, partial(_said, MODEL)),
        "completions": (post, "/v1/completions", LONG, lambda text: {"model": MODEL, "prompt": text, "max_tokens": 1}),
        "embeddings": (post, "/v1/embeddings", LONG, lambda text: {"model": "all-minilm-l6-v2", "input": text}),
        "ranking": (
            post, "/v1/rerank", 8_000, lambda text: {"model": "x", "query": text, "documents": [text] * 4},
        ),
        "a search": (post, f"{store}/search", 8_000, lambda text: {"query": text}),
        "a search with all": (
            post, f"{store}/search", 4_000,
            lambda text: {"query": text, "highlights": True, "spelling": True, "summarize": True},
        ),
        "what is similar": (post, f"{store}/similar", 100_000, lambda text: {"text": text}),
        "moderation": (post, "/v1/moderations", LONG, lambda text: {"input": text}),
    }  # fmt: skip


def _of_features() -> dict[str, _Route]:
    post = "POST"
    speech = {"model": "tts-1", "voice": "alloy"}
    return {
        "a comment": (post, "/v1/feedback", 10_000, lambda text: {"answer_id": "x", "rating": "up", "comment": text}),
        "a brief": (post, "/v1/content/articles", 2_000, lambda text: {"topic": text, "approval": True}),
        "a case": (post, "/v1/desk/cases", 20_000, lambda text: {"subject": "s", "body": text}),
        "an own mail": (post, "/v1/compose/personal", 20_000, lambda text: {"text": text}),
        "a mail": (post, "/v1/compose", 50_000, lambda text: {"body": text, "suggestions": 5}),
        "a memory": (post, "/v1/memories", 4_000, lambda text: {"text": text}),
        "a search of memories": (post, "/v1/memories/search", 4_000, lambda text: {"query": text}),
        "a judge": (
            post, "/v1/judges/copied/run", 100_000,
            lambda text: {"items": [{"question": text, "answer": text, "passages": [text]}]},
        ),
        "a data set": (
            post, "/v1/datasets/texts/versions", 40_000,
            lambda text: {"examples": [{"question": text, "reference": text}]},
        ),
        "a prompt": (post, "/v1/prompts/texts/versions", 200_000, lambda text: {"template": text}),
        "a prompt, filled": (
            post, "/v1/prompts/hostile/versions/1/render", LONG, lambda text: {"variables": {"a": text}},
        ),
        "a query of the lake": (post, "/v1/lake/sql", 20_000, lambda text: {"query": f"SELECT {text[:-7]}"}),
        "a translation": (post, "/v1/translate", 100_000, lambda text: {"text": text, "source": "en", "target": "fr"}),
        "a document translated": (
            post, "/v1/translate", 100_000,
            lambda text: {"document": text, "format": "markdown", "source": "en", "target": "fr"},
        ),
        "a page translated": (
            post, "/v1/translate", 100_000,
            lambda text: {"document": text, "format": "html", "source": "en", "target": "fr"},
        ),
        "a language": (post, "/v1/translate/detect", LONG, lambda text: {"text": text}),
        "a completion of code": (
            post, "/v1/code/complete", LONG, lambda text: {"prefix": text, "suffix": text, "language": "python"},
        ),
        "an action on code": (
            post, "/v1/code/actions", LONG, lambda text: {"action": "explain", "text": text, "language": "python"},
        ),
        "an agent": (
            post, "/v1/agents", 100_000, lambda text: {"definition": {"name": _name(text), "instruction": text}},
        ),
        "an agent's brief": (
            post, "/v1/agents/draft", 2_000, lambda text: {"company": "c", "role": "r", "scope": text, "model": MODEL},
        ),
        "a conversation": (
            post, "/v1/conversations", LONG,
            lambda text: {"items": [{"type": "message", "role": "user", "content": text}]},
        ),
        "speech": (post, "/v1/audio/speech", LONG, lambda text: {**speech, "input": text}),
        "a picture": (post, "/v1/images/generations", 32_000, lambda text: {"prompt": text}),
        "a rule of review": (post, "/v1/review/queues", 50_000, lambda text: {"name": _name(text), "guideline": text}),
        "a2a": (post, "/a2a", LONG, _a2a),
        "mcp": (post, "/mcp", LONG, _mcp),
    }  # fmt: skip


def _documents() -> Iterator[Input]:
    """What is read into the collection that is asked later."""
    for kind in ("md", "txt", "html", "csv", "rst", "adoc", "json"):
        for name, text in made(LONG):
            said = json.dumps({"a": text}) if kind == "json" else text
            sent, headers = upload(said.encode(), f"{name}.{kind}")
            yield Input(f"a document / {name}.{kind}", "POST", "/v1/files", given(sent), headers)
            added = given(b'{"file_id":"FILE"}')
            yield Input(f"ingesting / {name}.{kind}", "POST", "/v1/vector_stores/STORE/files", added)
