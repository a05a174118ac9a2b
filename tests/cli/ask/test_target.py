"""What is asked at the command line of a running server and of a home, and a conversation with either."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mainspring.cli.ask.target import Mode, RemoteServer
from mainspring.cli.main import app
from mainspring.core.errors import NotFound
from mainspring.core.settings import Settings
from mainspring.terminal.remote import Server as Remote
from tests.cli.command import Command, data
from tests.conftest import HANDBOOK, Server

QUESTION, NEXT = "Which Kestrel setting should I start with for a moka pot?", "And for an espresso machine?"
SOURCE, ANSWER, THEN = "kestrel-grinder.md", "13 to 16 clicks", "7 to 10 clicks"
Run = Callable[..., Result]


@pytest.fixture
def there(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command that asks the server, in an empty folder and with an empty home."""
    monkeypatch.chdir(tmp_path)
    known = {"MAINSPRING_URL": server.url, "MAINSPRING_API_KEY": server.key, "MAINSPRING_HOME": str(tmp_path / "home")}

    def run(*arguments: str, said: str = "", **settings: str) -> Result:
        return CliRunner(env=known | settings).invoke(app, arguments, input=said)

    return run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command at a home of its own with the same document."""
    command = Command(tmp_path_factory.mktemp("place"))
    shutil.copy(HANDBOOK / SOURCE, command.place / SOURCE)
    assert command("ingest", "handbook", SOURCE).returncode == 0
    return command


def shape(value: Any) -> Any:
    """The names and types in JSON values, of lists those of the first."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def test_an_answer_of_a_server_and_one_of_a_home_are_told_alike(there: Run, home: Command) -> None:
    remote = there("ask", "handbook", QUESTION, "--json")
    assert remote.exit_code == 0, remote.output
    one, other = data(remote.stdout), data(home.said("ask", "handbook", QUESTION, "--json"))
    for each in (one, other):
        assert ANSWER in each["answer"]
        assert each["answered"] is True
        assert each["citations"][0]["source"] == SOURCE
        assert each["answer_id"]
        assert each["trace_id"]
    assert set(one) == set(other)
    assert set(one["citations"][0]) == set(other["citations"][0])
    plain = there("ask", "handbook", QUESTION)
    assert ANSWER in plain.stdout
    assert f"[1] {SOURCE}" in plain.stdout


def test_searches_and_documents_of_a_server_and_of_a_home_are_told_alike(there: Run, home: Command) -> None:
    for arguments in (("search", "handbook", "moka pot"), ("documents", "handbook"), ("documents",)):
        remote = there(*arguments, "--json")
        assert remote.exit_code == 0, remote.output
        one, other = data(remote.stdout), data(home.said(*arguments, "--json"))
        named = [row for row in one if row.get("source", row.get("name", "")) in (SOURCE, "handbook")]
        assert shape(named) == shape(other), arguments
        assert arguments[1:] or (other[0]["name"], other[0]["documents"]) == ("handbook", 1)
    assert SOURCE in there("search", "handbook", "moka pot").stdout


def test_what_is_not_there_is_reported_in_the_server_s_words(there: Run) -> None:
    for arguments in (("search", "nowhere", "x"), ("documents", "nowhere"), ("ask", "nowhere", "x")):
        done = there(*arguments, "--json")
        assert done.exit_code == 1 or done.exception is not None, arguments
        assert "nowhere" in str(done.exception) + done.output
    wrong = there("documents", MAINSPRING_API_KEY="ms-wrong")
    assert "key" in str(wrong.exception)
    away = there("documents", MAINSPRING_URL="http://127.0.0.1:9")
    assert "127.0.0.1:9" in str(away.exception)


def test_lists_are_read_to_their_end(there: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.cli.ask.target._PAGE", 2)
    made = [server.call("POST", "/v1/vector_stores", {"name": f"page {number}"})[1]["id"] for number in range(5)]
    calls: list[str] = []
    call = Remote.call

    def counted(self: Remote, method: str, path: str, body: object = None) -> Any:
        calls.append(path)
        return call(self, method, path, body)

    monkeypatch.setattr(Remote, "call", counted)
    try:
        names = [row["name"] for row in data(there("documents", "--json").stdout)]
        assert {f"page {number}" for number in range(5)} <= set(names)
        assert len(names) == len(set(names))
        assert sum("/v1/vector_stores?" in path for path in calls) == -(-len(names) // 2)
    finally:
        for each in made:
            server.call("DELETE", f"/v1/vector_stores/{each}")


@pytest.mark.parametrize("where", ["server", "home"])
def test_a_conversation_remembers_what_was_said(there: Run, home: Command, where: str) -> None:
    said = f"{QUESTION}\n\n{NEXT}\nexit\nnever asked\n"
    if where == "server":
        done = there("chat", "handbook", said=said)
        assert done.exit_code == 0, done.output
        told = done.stdout
    else:
        finished = home("chat", "handbook", typed=said)
        assert finished.returncode == 0, finished.stderr
        told = finished.stdout
    first, second = told.split(f"> {NEXT}")
    assert first.startswith(f"> {QUESTION}")
    assert ANSWER in first
    assert f"[1] {SOURCE}" in first
    # Only with the first question is this one about settings.
    assert THEN in second
    assert SOURCE in second
    assert "never asked" not in told


def test_a_conversation_with_a_model_and_one_that_fails(there: Run) -> None:
    done = there("chat", "smollm2-135m-instruct", said="Say hello.\n")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()[1]) > 1
    failed = there("chat", "nothing", said="Hello?\nAnybody?\n")
    assert failed.exit_code == 1
    assert failed.stderr.count("nothing") == 2


def test_one_question_that_fails_does_not_end_a_conversation(there: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    opened = Remote.opened

    def bounded(self: Remote, method: str, path: str, body: Any = None, timeout_s: float = 60.0) -> Any:
        if body is not None:
            asked.append(json.loads(json.dumps(body["messages"])))
            if body["messages"][-1]["content"] == "fail":
                body = {**body, "max_tokens": -1}
        return opened(self, method, path, body, timeout_s)

    monkeypatch.setattr(Remote, "opened", bounded)
    done = there("chat", "handbook", said=f"fail\n{QUESTION}\n")
    assert done.exit_code == 3
    assert "max_tokens" in done.stderr
    assert ANSWER in done.stdout
    # What failed is no part of what follows.
    assert [turn["content"] for turn in asked[-1]] == [QUESTION]


@pytest.mark.parametrize(("mode", "options"), [("auto", None), ("verbatim", "verbatim"), ("written", "written")])
async def test_how_an_answer_is_worded_is_the_asker_s_choice(mode: str, options: str | None) -> None:
    bodies: list[dict[str, Any]] = []

    class Recorded:
        def opened(self, method: str, path: str, body: dict[str, Any]) -> Any:
            bodies.append(body)
            raise NotFound("the end of the test")

    with pytest.raises(NotFound):
        await RemoteServer(Recorded()).answer("handbook", [], mode=Mode(mode))  # type: ignore[arg-type]
    assert bodies[0].get("options", {}).get("mode") == options
    chosen = Mode(mode).settings(Settings())
    assert chosen.rag.mode == {"auto": "auto", "verbatim": "extractive", "written": "generative"}[mode]
