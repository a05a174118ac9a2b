"""The desk at a real server: a customer over HTTP, a person on the command line and at a stream."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from tests.conftest import Server

pytestmark = pytest.mark.slow
MODEL = "smollm2-135m-instruct"


def command(server: Server, *arguments: str) -> Any:
    """What a command with --json says."""
    environment = {**server.environment, "MAINSPRING_URL": server.url, "MAINSPRING_API_KEY": server.key}
    ran = subprocess.run(
        [sys.executable, "-m", "mainspring", "desk", *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)["data"]


def ask(server: Server, text: str, session: str) -> str:
    said = [{"role": "user", "content": text}]
    body = {"model": MODEL, "messages": said, "session_id": session, "max_tokens": 8}
    status, answer = server.call("POST", "/v1/chat/completions", body)
    assert status == 200, answer
    return str(answer["choices"][0]["message"]["content"])


def test_a_customer_is_answered_by_a_person(server: Server) -> None:
    ask(server, "My lamp is broken.", "desk-real")
    case = {"kind": "escalation", "subject": "Broken lamp", "session_id": "desk-real", "topic": "real"}
    status, made = server.call("POST", "/v1/desk/cases", case)
    assert status == 201, made
    number = made["number"]
    assert number in ask(server, "Is anybody there?", "desk-real")
    request = urllib.request.Request(f"{server.url}/v1/desk/cases/{number}/events")
    request.add_header("authorization", f"Bearer {server.key}")
    with urllib.request.urlopen(request, timeout=60) as stream:
        first = _event(stream)
        assert [each["text"] for each in first["messages"] if each["author"] == "customer"] == [
            "My lamp is broken.",
            "Is anybody there?",
        ]
        assert command(server, "take", number)["status"] == "taken"
        command(server, "reply", number, "A new one is on its way.")
        seen = first
        while seen["status"] != "waiting":
            seen = _event(stream)
    assert seen["messages"][-1]["text"] == "A new one is on its way."
    said = server.call("GET", "/v1/sessions/desk-real/messages?order=asc")[1]["data"]
    assert said[-1]["content"] == "A new one is on its way."
    assert command(server, "close", number, "--resolution", "solved")["status"] == "closed"
    assert number not in [each["number"] for each in command(server, "list")]
    assert number not in ask(server, "Thank you!", "desk-real")


def test_a_customer_chats_on_a_page(server: Server) -> None:
    _, chat = server.call("POST", "/v1/desk/chats", {"user": "ann"})
    body = {"id": "m1", "text": "Hello"}
    assert server.call("POST", "/v1/desk/chats/messages", body, chat["token"])[0] == 202
    assert server.call("GET", "/v1/desk/chats/messages", key=chat["token"])[0] == 200
    # The token opens nothing else.
    assert server.call("GET", "/v1/models", key=chat["token"])[0] == 401
    assert server.call("GET", "/v1/desk/chats/messages", key=server.key)[0] == 401
    status, headers, page = server.raw("GET", chat["page"].partition("#")[0], key="")
    assert (status, b"<textarea" in page) == (200, True)
    assert "script-src 'sha256-" in headers["content-security-policy"]


def _event(stream: Any) -> Any:
    for line in stream:
        if line.startswith(b"data: "):
            return json.loads(line[6:])
    raise AssertionError("the stream ended")
