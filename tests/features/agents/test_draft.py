import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.types import ChatRequest
from mainspring.features.agents.draft import ALWAYS, Brief, checked
from tests.features.agents.world import opened

BRIEF = Brief.read("Hill Bikes, support agent, orders, returns and repairs")
GOOD: dict[str, Any] = {
    "description": "Answers questions about orders.",
    "persona": "You are the friendly support agent of Hill Bikes.",
    "scope": "Orders, returns and repairs of bikes.",
    "rules": ["Be brief.", "Be polite.", "Ask for the order's number."],
    "examples": [
        {"user": "Where is my bike?", "answer": "Tell me the number of your order, please."},
        {"user": "What is the weather?", "answer": "I help with orders, returns and repairs only."},
    ],
}


def test_a_brief_has_three_parts_of_which_the_last_may_have_commas() -> None:
    assert Brief("Hill Bikes", "support agent", "orders, returns and repairs") == BRIEF


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"persona": "You are a friendly helper."}, "company, Hill Bikes"),
        ({"rules": ["Be brief.", "Be brief.", "Ask."]}, "rules repeats itself"),
        ({"scope": "Orders. Call +44 20 7946 0000."}, "telephone number"),
        ({"rules": ["Be brief.", "See https://hill.example", "Ask."]}, "address"),
        ({"rules": ["Be brief.", "Returns cost $5.", "Ask."]}, "price"),
        ({"persona": "You are {name}, support agent of Hill Bikes."}, "placeholders"),
    ],
)
def test_a_draft_that_invents_or_forgets_something_is_refused(change: dict[str, Any], fault: str) -> None:
    assert checked(json.dumps(GOOD), BRIEF)[1] == []
    assert fault in " ".join(checked(json.dumps({**GOOD, **change}), BRIEF)[1])
    assert checked("no", BRIEF)[1] == ["It is not JSON."]


@pytest.mark.slow
async def test_a_draft_is_written_again_until_it_passes_and_serves_as_a_playbook(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def says(request: ChatRequest) -> str:
        if request.sampling.grammar is None:
            return request.messages[0].content
        told = request.messages[-1].content
        return json.dumps(GOOD if "does not name the company" in told else {**GOOD, "persona": "You are a helper."})

    async with opened(monkeypatch, tmp_path, says, {}) as agents:
        body = {"company": "Hill Bikes", "role": "support agent", "scope": "orders"}
        found = (await agents.call("POST", "/v1/agents/draft", body)).json()
        assert found["attempts"] == 2
        assert all(rule in found["playbook"] for rule in ALWAYS)
        added = await agents.call("POST", "/v1/prompts/hill/versions", {"template": found["playbook"]})
        definition = {"name": "hill", "playbook": f"hill@{added.json()['version']}", "instruction": "Be quick."}
        await agents.call("POST", "/v1/agents", {"definition": definition})
        told = (await agents.ask("hill", "hi")).choices[0].message.content
        assert told.startswith("You are the friendly support agent of Hill Bikes.")
        assert told.endswith("Be quick.")
