"""Every kind of bad input gets a clear error in OpenAI's envelope, and the server lives."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Server

CHAT = "smollm2-135m-instruct"
USER = [{"role": "user", "content": "Hi"}]
DEEP: dict[str, Any] = {"type": "object"}
for _ in range(200):
    DEEP = {"type": "object", "properties": {"a": DEEP}}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": CHAT, "messages": USER, "max_tokens": 4, **fields}


def schema(value: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": value}}


CASES: dict[str, tuple[Any, int, str, str | None]] = {
    "malformed JSON": (b'{"model": ', 400, "invalid_request", None),
    "invalid UTF-8": (b'{"model": "\xff\xfe", "messages": []}', 400, "invalid_request", None),
    "empty body": (b"", 400, "invalid_request", None),
    "a list for a body": ([1, 2], 400, "invalid_request", None),
    "no model": ({"messages": USER}, 400, "invalid_request", "model"),
    "no messages": ({"model": CHAT}, 400, "invalid_request", "messages"),
    "empty messages": (chat(messages=[]), 400, "invalid_request", "messages"),
    "messages of the wrong type": (chat(messages="hello"), 400, "invalid_request", "messages"),
    "unknown role": (
        chat(messages=[{"role": "wizard", "content": "x"}]),
        400,
        "invalid_request",
        "messages.0.role",
    ),
    "no content": (chat(messages=[{"role": "user"}]), 400, "invalid_request", "messages[0].content"),
    "an image": (
        chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
        400,
        "invalid_request",
        "messages[0].content[0].image_url",
    ),
    "an image for a model that sees nothing": (
        chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}]}]),
        400,
        "unsupported_parameter",
        "messages",
    ),
    "unknown model": (chat(model="gpt-99"), 404, "model_not_found", "model"),
    "unknown field": (chat(temprature=1), 400, "invalid_request", "temprature"),
    "temperature too high": (chat(temperature=9), 400, "invalid_request", "temperature"),
    "temperature as text": (chat(temperature="warm"), 400, "invalid_request", "temperature"),
    "top_p of zero": (chat(top_p=0), 400, "invalid_request", "top_p"),
    "n of zero": (chat(n=0), 400, "invalid_request", "n"),
    "max_tokens of zero": (chat(max_tokens=0), 400, "invalid_request", "max_tokens"),
    "logit_bias": (chat(logit_bias={"5": 3}), 400, "unsupported_parameter", "logit_bias"),
    "more logprobs than the engine has": (
        chat(logprobs=True, top_logprobs=5),
        400,
        "unsupported_parameter",
        "logprobs",
    ),
    "top_logprobs alone": (chat(top_logprobs=1), 400, "invalid_request", "top_logprobs"),
    "an empty stop string": (chat(stop=[""]), 400, "invalid_request", "stop"),
    "a bad schema": (chat(response_format=schema({"type": "objekt"})), 400, "invalid_schema", "response_format"),
    "a bottomless schema": (chat(response_format=schema(DEEP)), 400, "invalid_schema", "response_format"),
    "a remote reference": (
        chat(response_format=schema({"$ref": "http://127.0.0.1/x"})),
        400,
        "invalid_schema",
        "response_format",
    ),
    "a bad regex": (
        chat(response_format={"type": "regex", "pattern": "(["}),
        400,
        "invalid_schema",
        "response_format",
    ),
    "a tool choice without tools": (chat(tool_choice="required"), 400, "invalid_request", "tool_choice"),
    "an unknown tool choice": (
        chat(tool_choice={"type": "function", "function": {"name": "f"}}),
        400,
        "invalid_request",
        "tool_choice",
    ),
    "a tool message without its call": (
        chat(messages=[{"role": "tool", "content": "x"}]),
        400,
        "invalid_request",
        "messages[0]",
    ),
    "a session id with a slash": (chat(session_id="../x"), 400, "invalid_request", "session_id"),
    "too many messages": (chat(messages=USER * 600), 413, "request_too_large", "messages"),
    "a prompt longer than the window": (
        chat(messages=[{"role": "user", "content": "word " * 40_000}]),
        400,
        "context_length_exceeded",
        None,
    ),
    "an embedding model asked to chat": (chat(model="all-minilm-l6-v2"), 400, "invalid_request", "model"),
    "a body beyond the bound": (b'{"a": "' + b"x" * 9_000_000 + b'"}', 413, "request_too_large", None),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_chat_requests_are_refused_clearly(server: Server, name: str) -> None:
    body, status, code, param = CASES[name]
    found, headers, content = server.raw("POST", "/v1/chat/completions", body)
    error = json.loads(content)["error"]
    assert (found, error["code"]) == (status, code), error
    if param is not None:
        assert error["param"] == param
    assert error["message"]
    assert headers.get("x-trace-id") or status == 413
    assert server.raw("GET", "/healthz")[0] == 200


def test_ten_megabytes_of_one_word_are_embedded_or_refused(server: Server) -> None:
    status, body = server.call("POST", "/v1/embeddings", {"model": "all-minilm-l6-v2", "input": "x" * 7_000_000})
    assert status == 200 or body["error"]["code"]
    assert server.raw("GET", "/readyz")[0] == 200


@pytest.mark.parametrize("body", [{"input": ""}, {"input": []}, {"input": ["a", ""]}, {"input": [[1, -2]]}])
def test_bad_embedding_requests(server: Server, body: dict[str, Any]) -> None:
    status, answer = server.call("POST", "/v1/embeddings", {"model": "all-minilm-l6-v2", **body})
    assert status == 400
    assert answer["error"]["param"].startswith("input")


def test_keys_are_checked(server: Server) -> None:
    for key in ("ms-wrong", "", "\u00fc"[:0] + "Bearer"):
        status, answer = server.call("POST", "/v1/chat/completions", chat(), key=key)
        assert (status, answer["error"]["code"]) == (401, "invalid_api_key")


def test_unknown_routes_and_methods(server: Server) -> None:
    status, answer = server.call("GET", "/v1/nothing")
    assert (status, answer["error"]["code"]) == (404, "not_found")
    status, answer = server.call("PUT", "/v1/chat/completions", {})
    assert status == 405


def test_feedback_on_an_unknown_answer(server: Server) -> None:
    status, answer = server.call("POST", "/v1/feedback", {"answer_id": "ans_nothing", "rating": "up"})
    assert (status, answer["error"]["param"]) == (404, "answer_id")


def test_garbage_on_the_socket_is_survived(server: Server) -> None:
    address = urlsplit(server.url)
    for garbage in (b"\x00\xff\x00\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"):
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
            connection.sendall(garbage)
            assert connection.recv(4096)[:8] in (b"HTTP/1.1", b"")
    assert server.raw("GET", "/healthz")[0] == 200
