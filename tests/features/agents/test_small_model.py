"""The smallest real model as an agent: what it says is poor, but every turn has its form."""

from typing import Any

import pytest

from tests.conftest import Server

pytestmark = pytest.mark.slow
EXPERT = {"name": "expert", "description": "Knows rivers.", "instruction": "Answer in one sentence."}


@pytest.mark.parametrize("way", ["react", "choice"])
def test_turns_have_their_form(server: Server, way: str) -> None:
    definition: dict[str, Any] = {
        "name": f"small-{way}",
        "instruction": "Answer questions about rivers.",
        "reasoning": way,
        "tools": [{"agent": EXPERT}],
        "limits": {"steps": 4},
    }
    status, made = server.call("POST", "/v1/agents", {"definition": definition})
    assert status == 201, made
    asked = {"messages": [{"role": "user", "content": "Which river is in Paris?"}], "temperature": 0, "max_tokens": 48}
    try:
        status, answer = server.call("POST", "/v1/chat/completions", {"model": f"small-{way}", **asked})
    finally:
        server.call("DELETE", f"/v1/agents/small-{way}")
    assert status == 200, answer
    choice = answer["choices"][0]
    assert choice["finish_reason"] in ("stop", "length")
    assert '"thought"' not in choice["message"]["content"]
    if way == "react":
        # The first turn thought, whatever it did then.
        assert choice["message"].get("reasoning_content") or choice["finish_reason"] == "length"
