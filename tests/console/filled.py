"""What stands on the pages of the console: every list of a tenant with something in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.conftest import Server

MODEL = "smollm2-135m-instruct"
LACKED = "What does the tandem bicycle of the founder weigh?"
TOPIC = "How grinders are returned"
PATIENCE_S = 120.0


def filled(server: Server) -> None:
    """Fill what the pages list; what is there already is left."""
    if any(each["id"] == "looked-at" for each in _call(server, "GET", "/v1/agents")["data"]):
        return
    _agents(server)
    _desk(server)
    _content(server)
    _insights(server)
    _experiments(server)
    _review(server)
    _call(server, "POST", "/v1/budgets", {"name": "looked at", "scope": "tenant", "window": "day", "limit_usd": "50"})


def _call(server: Server, method: str, path: str, body: object = None) -> Any:
    status, found = server.call(method, path, body)
    assert status < 300, (path, status, found)
    return found


def _experiments(server: Server) -> None:
    """A data set in two versions, and an experiment over the answers that are with its examples."""
    questions = ["How long are burrs guaranteed?", "Who returns a grinder?", "What does the manual say of beans?"]
    examples = [
        {"question": each, "reference": "Two years.", "tags": {"topic": "grinders"}, "extra": {"answer": "Two years."}}
        for each in questions
    ]
    versions = "/v1/datasets/looked-at/versions"
    _call(server, "POST", versions, {"examples": examples[:2]})
    _call(server, "POST", versions, {"examples": examples[2:]})
    body = {"dataset": "looked-at", "name": "Looked at", "scorers": [{"name": "f1"}]}
    made = _call(server, "POST", "/v1/experiments", body)
    _until(server, f"/v1/experiments/{made['id']}", "completed")
    asked = {"dataset": "looked-at", "model": MODEL, "ways": ["prompt", "few-shot", "rag"], "max_tokens": 4}
    advice = _call(server, "POST", "/v1/advice", {**asked, "name": "Looked at"})
    _until(server, f"/v1/advice/{advice['id']}", "completed")


def _review(server: Server) -> None:
    """A queue with one answer in it, which waits for a label."""
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "How long are burrs guaranteed?"}],
        "max_tokens": 4,
    }
    answer = _call(server, "POST", "/v1/chat/completions", asked)
    queue = {"name": "looked-at", "guideline": "# What is correct?\n\nWhat the passages say."}
    _call(server, "POST", "/v1/review/queues", queue)
    _call(server, "POST", "/v1/review/queues/looked-at/items", {"answer_ids": [answer["id"]]})


def _agents(server: Server) -> None:
    agent = {"name": "looked-at", "description": "Greets people.", "instruction": "Greet.", "model": MODEL}
    _call(server, "POST", "/v1/agents", {"definition": {**agent, "limits": {"steps": 2}}})
    _call(server, "POST", "/v1/agents/runs", {"agent": "looked-at", "input": "Good morning."})


def _desk(server: Server) -> None:
    _call(server, "PUT", "/v1/desk/people/me", {"name": "Ada"})
    for number in range(3):
        case = {"subject": f"Order {number} is late", "customer": "jo", "body": "Where is it?", "priority": "high"}
        made = _call(server, "POST", "/v1/desk/cases", case)
        _call(server, "POST", f"/v1/desk/cases/{made['id']}/messages", {"text": "I look into it.", "note": True})


def remembering(server: Server) -> Iterator[None]:
    """The admin's key consents to be remembered, until others use it: each of its questions would be embedded, and
    remembered facts would stand in its prompts."""
    _call(server, "PUT", "/v1/memories/consent", {"consent": True})
    if not _call(server, "GET", "/v1/memories")["data"]:
        _remember(server)
    yield
    _call(server, "PUT", "/v1/memories/consent", {"consent": False})


def _remember(server: Server) -> None:
    for text in ("I live in Rome.", "My sister is a potter.", "I do not eat fish."):
        _call(server, "POST", "/v1/memories", {"text": text})


def _content(server: Server) -> None:
    articles = "/v1/content/articles"
    brief = {"topic": TOPIC, "collections": ["handbook"], "mode": "extractive", "length": "short"}
    written = _call(server, "POST", articles, brief)
    waiting = _call(server, "POST", articles, {**brief, "topic": "How espresso is made", "approval": True})
    _until(server, f"{articles}/{written['id']}", "completed")
    _until(server, f"{articles}/{waiting['id']}", "plan_pending")
    _call(server, "POST", "/v1/content/notebooks", {"name": "Looked at", "collection": "handbook"})


def _insights(server: Server) -> None:
    for number in range(4):
        for question in ("How long may a grinder be returned?", LACKED):
            named = {"model": "document-qa", "session_id": f"looked-at-{number}", "options": {"cache": False}}
            said = {**named, "messages": [{"role": "user", "content": question}]}
            _call(server, "POST", "/v1/chat/completions", said)
    _call(server, "POST", "/v1/insights/run")
    _call(server, "POST", "/v1/insights/faq", {"days": 30})


def _until(server: Server, path: str, status: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while (found := _call(server, "GET", path))["status"] != status:
        assert time.monotonic() < end, found
        assert found["status"] not in ("failed", "cancelled"), found
        time.sleep(0.2)
