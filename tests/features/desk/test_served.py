"""The desk over HTTP, with an agent that opens a case: the customer, the agent and a person in one conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.features.agents.world import AgentsWorld, opened

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[AgentsWorld]:
    async with opened(monkeypatch, tmp_path, lambda request: f"heard {len(request.messages)}", {}) as made:
        yield made


async def say(shop: AgentsWorld, text: str, session: str = "s1", model: str = "m") -> Any:
    answer = await shop.ask(model, text, extra_body={"session_id": session})
    return answer.choices[0].message.content


async def test_a_person_answers_in_the_place_of_the_model(shop: AgentsWorld) -> None:
    assert await say(shop, "My lamp is broken.") == "heard 1"
    case = {"kind": "escalation", "subject": "Broken lamp", "session_id": "s1"}
    made = await shop.call("POST", "/v1/desk/cases", case, headers={"idempotency-key": "k"})
    assert made.status_code == 201
    again = await shop.call("POST", "/v1/desk/cases", case, headers={"idempotency-key": "k"})
    number = made.json()["number"]
    assert again.json()["number"] == number
    asked = len(shop.model.seen)
    assert number in await say(shop, "Anybody?")
    assert await say(shop, "Hello", "s2") == "heard 1"
    assert len(shop.model.seen) == asked + 1
    await shop.call("PUT", "/v1/desk/people/me", {"name": "Ada", "queues": ["general"]})
    taken = (await shop.call("POST", "/v1/desk/next", {})).json()["case"]
    assert (taken["number"], taken["assignee"]["name"], taken["status"]) == (number, "Ada", "taken")
    answered = await shop.call("POST", f"/v1/desk/cases/{number}/messages", {"text": "A new one is on its way."})
    assert answered.status_code == 201
    said = (await shop.call("GET", "/v1/sessions/s1/messages?order=asc")).json()["data"]
    assert said[-1]["content"] == "A new one is on its way."
    shown = (await shop.call("GET", f"/v1/desk/cases/{number}")).json()
    told = [(each["author"], each["name"], each["text"]) for each in shown["messages"]]
    assert told == [
        ("customer", None, "My lamp is broken."),
        ("agent", None, "heard 1"),
        ("customer", None, "Anybody?"),
        ("person", "Ada", "A new one is on its way."),
    ]
    closed = await shop.call("POST", f"/v1/desk/cases/{number}/close", {"resolution": "solved"})
    assert closed.json()["status"] == "closed"
    # The model sees what was said in between: three turns of two messages, the person's answer, and the new question.
    assert await say(shop, "Thanks!") == "heard 6"
    assert (await shop.call("POST", f"/v1/desk/cases/{number}/take", {})).status_code == 409
    [queue] = (await shop.call("GET", "/v1/desk/queues")).json()["data"]
    assert (queue["id"], queue["closed"]) == ("general", 1)


async def test_other_tenants_and_keys_without_the_scope_see_nothing(shop: AgentsWorld) -> None:
    made = await shop.call("POST", "/v1/desk/cases", {"subject": "Mine"})
    number = made.json()["number"]
    assert (await shop.call("GET", f"/v1/desk/cases/{number}", key="stranger")).status_code == 404
    assert (await shop.call("GET", "/v1/desk/cases", key="stranger")).json()["data"] == []
    assert [each["number"] for each in (await shop.call("GET", "/v1/desk/cases?q=mine")).json()["data"]] == [number]
    assert (await shop.call("GET", "/v1/desk/cases?q=yours")).json()["data"] == []
