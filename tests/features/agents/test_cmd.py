"""The commands, at a running server with the small real model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import data, run_within
from tests.conftest import Server

pytestmark = pytest.mark.slow
GREETER = {"name": "greeter", "description": "Greets.", "instruction": "Greet the user.", "limits": {"steps": 3}}


def run(server: Server, *arguments: str) -> str:
    known = {"MAINSPRING_URL": server.url, "MAINSPRING_API_KEY": server.key}
    done = run_within(arguments, server.environment | known)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def greeter(server: Server) -> Iterator[dict[str, Any]]:
    status, made = server.call("POST", "/v1/agents", {"definition": GREETER})
    assert status == 201
    yield made
    server.call("DELETE", "/v1/agents/greeter")


def test_agents_are_listed_shown_and_asked(server: Server, greeter: dict[str, Any]) -> None:
    listed = data(run(server, "agents", "list", "--json"))
    assert "greeter" in [each["id"] for each in listed]
    assert "Greets." in run(server, "agents", "list")
    assert data(run(server, "agents", "show", "greeter"))["definition"] == GREETER
    answer = data(run(server, "agents", "run", "greeter", "Hello", "--json"))
    assert answer["model"] == "greeter"
    assert answer["usage"]["completion_tokens"] > 0
    assert run(server, "agents", "run", "greeter", "Hello").strip()


def test_a_file_is_saved_changed_and_deleted(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "waiter.yaml"
    file.write_text("name: waiter\ninstruction: Take orders.\nlimits: {steps: 3}\n")
    assert data(run(server, "agents", "save", str(file), "--json"))["version"] == 1
    file.write_text("name: waiter\ninstruction: Take orders politely.\nlimits: {steps: 3}\n")
    assert "version 2" in run(server, "agents", "save", str(file), "--note", "polite")
    assert data(run(server, "agents", "show", "waiter"))["definition"]["instruction"] == "Take orders politely."
    assert "deleted" in run(server, "agents", "delete", "waiter")
    assert "waiter" not in run(server, "agents", "list")
    known = {"MAINSPRING_URL": server.url, "MAINSPRING_API_KEY": server.key}
    for text, told in (("a: [", "no YAML"), ("- a\n", "`name`"), ("instruction: x\n", "`name`")):
        file.write_text(text)
        done = run_within(("agents", "save", str(file)), server.environment | known)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    file.write_text("name: waiter\ninstruct: x\n")
    done = run_within(("agents", "save", str(file)), server.environment | known)
    assert (done.returncode, "instruct" in done.stderr) == (1, True), done.stderr
