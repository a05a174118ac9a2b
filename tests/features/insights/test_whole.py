"""The contact centre at a real server: customers ask, a person is helped to answer, and a FAQ is made of all that."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.conftest import Server

pytestmark = pytest.mark.slow
ASKED = (
    "How long do I have to return a stove?",
    "How long do I have to return my stove?",
    "How long do I have to return a stove",
    "So how long do I have to return a stove?",
)


def ask(server: Server, text: str, session: str, model: str = "support") -> str:
    said = [{"role": "user", "content": text}]
    status, answer = server.call(
        "POST", "/v1/chat/completions", {"model": model, "messages": said, "session_id": session}
    )
    assert status == 200, answer
    return str(answer["choices"][0]["message"]["content"])


def call(server: Server, method: str, path: str, body: object = None) -> Any:
    status, told = server.call(method, path, body)
    assert status < 300, told
    return told


def test_a_person_is_helped_with_a_conversation_that_was_handed_over(server: Server) -> None:
    session = "centre-1"
    ask(server, ASKED[0], session)
    handed = ask(server, "I want to speak to a person about my stove.", session)
    assert "CS-" in handed
    listed = call(server, "GET", "/v1/desk/cases?limit=100")["data"]
    number = next(each["number"] for each in listed if each["number"] in handed)
    call(server, "PUT", "/v1/desk/people/me", {"name": "Ada"})
    call(server, "POST", f"/v1/desk/cases/{number}/take", {})
    until = time.monotonic() + 60
    while ((shown := call(server, "GET", f"/v1/desk/cases/{number}"))["assist"] or {"preparing": True})["preparing"]:
        assert time.monotonic() < until, shown
        time.sleep(0.2)
    told = [each["text"] for each in shown["messages"] if each["author"] == "customer"]
    assert told == [ASKED[0], "I want to speak to a person about my stove."]
    helped = shown["assist"]
    assert "stove" in helped["summary"]
    assert helped["hints"]
    suggestion = helped["suggestions"][0]
    sent = {"text": suggestion["text"], "suggestion": suggestion["id"]}
    call(server, "POST", f"/v1/desk/cases/{number}/messages", sent)
    said = call(server, "GET", f"/v1/sessions/{session}/messages?order=asc")["data"]
    assert said[-1]["content"] == suggestion["text"]
    events = call(server, "GET", "/v1/events?kind=case&limit=100")["data"]
    accepted = [each["content"] for each in events if each["facts"]["action"] == "accepted"]
    assert suggestion["text"] in [json.loads(each)["suggestion"] for each in accepted]
    call(server, "POST", f"/v1/desk/cases/{number}/close", {"resolution": "solved"})

    call(server, "POST", "/v1/insights/run")
    # It is open until it has been idle for a while.
    found = call(server, "GET", "/v1/insights/conversations?limit=100")["data"]
    shown = [call(server, "GET", f"/v1/insights/conversations/{each['id']}") for each in found]
    assert any(told[1] in str(each) and told[0] in str(each) for each in shown)


def test_what_customers_ask_often_becomes_a_faq_that_answers(server: Server) -> None:
    for place, text in enumerate(ASKED):
        answer = ask(server, text, f"centre-faq-{place}", "handbook")
        assert "days" in answer
    call(server, "POST", "/v1/insights/run")
    call(server, "POST", "/v1/insights/faq", {"days": 1})
    drafts = call(server, "GET", "/v1/insights/faq?status=draft")["data"]
    entry = next(each for each in drafts if "return" in each["question"] and "stove" in each["question"])
    assert entry["conversations"] >= 3
    assert entry["citations"]
    call(server, "POST", f"/v1/insights/faq/{entry['id']}", {"status": "approved"})
    store = call(server, "POST", "/v1/vector_stores", {"name": "centre-faq"})["id"]
    published = call(server, "POST", "/v1/insights/faq/publish", {"collection": "centre-faq"})
    assert published["entries"] >= 1
    until = time.monotonic() + 60
    while call(server, "GET", f"/v1/vector_stores/{store}")["file_counts"]["completed"] < 1:
        assert time.monotonic() < until
        time.sleep(0.2)
    status, answered = server.call(
        "POST", "/v1/chat/completions", {"model": "centre-faq", "messages": [{"role": "user", "content": ASKED[0]}]}
    )
    assert status == 200, answered
    message = answered["choices"][0]["message"]
    assert message["citations"][0]["source"] == "faq.md"
    assert "days" in message["content"]
    call(server, "DELETE", f"/v1/insights/faq/{entry['id']}")
    call(server, "DELETE", f"/v1/vector_stores/{store}")
