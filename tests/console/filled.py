"""What stands on the pages of the console: every list of a tenant with something in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.conftest import Server

MODEL = "smollm2-135m-instruct"
LACKED = "What does the tandem bicycle of the founder weigh?"
LENT = "How long are the burrs of a grinder guaranteed?"
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
    _trial(server)
    _arena(server)
    _lake(server)
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


def _trial(server: Server) -> None:
    """A trial over the arms of a route, each with units that succeed and units that do not."""
    metric = {"source": "tokens", "at_most": 2}
    guard = {"source": "latency", "at_most": 60, "worse_by": 0.5}
    trial = {"route": "helper", "control": "stable", "metric": metric, "guards": [guard]}
    _call(server, "POST", "/v1/trials/looked-at", trial)
    for number in range(24):
        said = {"model": "helper", "messages": [{"role": "user", "content": "Good morning."}]}
        # An answer of three or four tokens fails.
        asked = {**said, "user": f"looked-at-{number}", "max_tokens": 1 + number % 4}
        _call(server, "POST", "/v1/chat/completions", asked)
    end = time.monotonic() + PATIENCE_S
    # The course of an arm's difference has two points; the control has none.
    while max(len(each["sequence"]) for each in _call(server, "GET", "/v1/trials/looked-at")["arms"]) < 2:
        assert time.monotonic() < end, "the units of the trial were not counted"
        time.sleep(0.5)


def _arena(server: Server) -> None:
    """An arena with votes, among them one for each side and a tie."""
    arena = {"models": [MODEL, "helper"], "dataset": "looked-at", "max_tokens": 6, "categories": ["grinders"]}
    _call(server, "PUT", "/v1/arena/looked-at", arena)
    for number, winner in enumerate(("left", "right", "tie", "left")):
        asked = {"question": f"Which grinder is best for {number + 2} people?", "category": "grinders"}
        battle = _call(server, "POST", "/v1/arena/looked-at/battles", asked)
        _call(server, "POST", f"/v1/arena/looked-at/battles/{battle['id']}/votes", {"winner": winner})


def _lake(server: Server) -> None:
    """A build with rows that are ready, changed and dropped, an export, and a data set, all of recorded answers."""
    told = {"model": "document-qa", "session_id": "looked-at-lake", "options": {"cache": False}}
    asked = ((LENT, "true"), (LENT, "true"), ("My name is Jane Doe. May I return a grinder?", "true"), (TOPIC, "false"))
    for question, consent in asked:
        said = {**told, "messages": [{"role": "user", "content": question}], "metadata": {"training_consent": consent}}
        _call(server, "POST", "/v1/chat/completions", said)
    build = _call(server, "POST", "/v1/lake/builds", {})
    _until(server, f"/v1/lake/builds/{build['id']}", "done", "state")
    made = _call(server, "POST", "/v1/lake/exports", {"kind": "sft", "name": "Looked at"})
    _until(server, f"/v1/lake/exports/{made['id']}", "completed")
    traces = {"consented": True, "session": "looked-at-lake"}
    _call(server, "POST", "/v1/datasets/recorded/versions", {"traces": traces})


def _until(server: Server, path: str, status: str, field: str = "status") -> None:
    end = time.monotonic() + PATIENCE_S
    while (found := _call(server, "GET", path))[field] != status:
        assert time.monotonic() < end, found
        assert found[field] not in ("failed", "cancelled"), found
        time.sleep(0.2)
