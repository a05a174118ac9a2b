"""The commands, at a running server with the small real model."""

from collections.abc import Iterator
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
