"""Explain, fix, test and document; and the agent ``code`` with its tools over the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring.core.types import ChatRequest
from mainspring.engines import ChatModel
from mainspring.engines.base import Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import Script, ScriptedEngine
from mainspring.features.code.assist.actions import Selection
from tests.agents.loop.scripted import Said, ScriptedModel
from tests.features.code.assistant_world import world
from tests.world import World

FILE = "import os\n\n\ndef mean(values):\n    return sum(values) / len(value)\n\n\nx = 1\n"


def chatting(script: Script) -> tuple[dict[str, ChatModel], ScriptedEngine]:
    engine = ScriptedEngine(script, templates=True, context_window=100_000)
    responder = ModelResponder(engine, model_name="chatty", fingerprint="chatty")
    return {"chatty": ChatModel("chatty", engine, responder, False, "scripted")}, engine


async def act(found: World, **body: Any) -> dict[str, Any]:
    asked = {"text": FILE, "path": "stats.py", "first_line": 5, "last_line": 5, **body}
    answer = await found.call(found.keys["red"], "POST", "/v1/code/actions", asked)
    return {"status": answer.status_code, **answer.json()}


async def test_a_fix_replaces_the_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = "def mean(values):\n    return sum(values) / len(values)"
    models, engine = chatting(lambda generation: ["Here:\n", f"```python\n{fixed}\n```", "\nDone."])
    async with world(tmp_path, monkeypatch, models) as found:
        said = await act(found, action="fix", diagnostics=["undefined name 'value'"])
        assert (said["code"], said["parses"], said["attempts"]) == (fixed, True, 1)
        # One line means the definition around it.
        assert said["replaces"] == {"first_line": 4, "last_line": 5}
        asked = engine.seen[0].messages[-1].content
        assert "undefined name 'value'" in asked
        assert "def mean(values):" in asked
        assert "import os" not in asked


async def test_what_does_not_parse_is_asked_for_again_and_not_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(generation: Generation) -> list[str]:
        good = len(generation.messages) > 1 and "mean" in generation.messages[0].content
        return ["```python\ndef mean(values):\n    return 1\n```" if good else "```python\ndef mean(:\n```"]

    models, engine = chatting(script)
    async with world(tmp_path, monkeypatch, models) as found:
        said = await act(found, action="fix")
        assert (said["parses"], said["attempts"], len(engine.seen)) == (True, 2, 2)
        broken = await act(found, action="test", first_line=8, last_line=8)
        assert (broken["code"], broken["parses"], broken["replaces"]) == ("", False, None)


async def test_an_explanation_and_tests_know_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models, engine = chatting(lambda generation: ["```python\ndef test_it():\n    assert mean([1]) == 1\n```"])
    async with world(tmp_path, monkeypatch, models) as found:
        key = found.keys["red"]
        await found.call(key, "POST", "/v1/code/workspaces", {"name": "w"})
        files = [{"path": "maths.py", "text": "def total(values):\n    return sum(values)\n"}]
        await found.call(key, "POST", "/v1/code/workspaces/w/files", {"files": files})
        text = "from maths import total\n\n\ndef mean(values):\n    return total(values) / len(values)\n"
        said = await act(found, action="test", text=text, first_line=5, last_line=5, workspace="w")
        assert said["code"].startswith("def test_it")
        assert said["replaces"] is None
        asked = engine.seen[0].messages[-1].content
        assert "# maths.py\ndef total(values):" in asked
        assert "pytest" in asked
        explained = await act(found, action="explain", text=text, workspace="w")
        assert explained["text"]
        assert explained["code"] == ""


def test_code_for_an_indented_selection_is_indented() -> None:
    from mainspring.features.code.assist.actions import _code

    selection = Selection("class A:\n    def f(self):\n        pass\n", 1, 2, "py")
    text = "```python\ndef f(self):\n    return 1\n```"
    assert _code(text, selection, "fix") == "    def f(self):\n        return 1"


async def test_the_agent_reads_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def says(request: ChatRequest) -> Said:
        last = request.messages[-1]
        if last.role == "tool":
            return "It is in maths.py." if "maths.py" in last.content else "Nothing is there."
        return [("find_symbol", {"name": "total"})]

    engine = ScriptedEngine(templates=True)
    models = {"chatty": ChatModel("chatty", engine, ScriptedModel(says), False, "scripted")}
    async with world(tmp_path, monkeypatch, models) as found:
        for key, said in (("red", "It is in maths.py."), ("blue", "Nothing is there.")):
            if key == "red":
                await found.call(found.keys[key], "POST", "/v1/code/workspaces", {"name": "w"})
                files = [{"path": "maths.py", "text": "def total(values):\n    return sum(values)\n"}]
                await found.call(found.keys[key], "POST", "/v1/code/workspaces/w/files", {"files": files})
            body = {"model": "code", "messages": [{"role": "user", "content": "Where is total defined?"}]}
            answer = await found.call(found.keys[key], "POST", "/v1/chat/completions", body)
            assert said in answer.json()["choices"][0]["message"]["content"]
