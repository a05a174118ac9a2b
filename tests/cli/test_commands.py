"""All commands: each has help, a panel and one shape of JSON, or is excused by name with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from mainspring.cli.main import app
from mainspring.cli.serve import welcome
from mainspring.terminal import complete
from tests.cli.command import Command, data
from tests.surfaces import QUIET, SERVES, TALKS, merged

ENVELOPE = {"command", "version", "ok", "data", "warnings", "errors"}
# The commands without --json, and why: those of the rooms, and those of features.
NO_JSON = merged(
    {
        "up": SERVES,
        "chat": TALKS,
        "keys consent": QUIET,
        "budgets delete": QUIET,
        "credentials set": QUIET,
        "credentials remove": QUIET,
    },
    "without_json",
)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command that can be called, with its path."""
    beneath = getattr(command, "commands", {})
    if path and (not beneath or getattr(command, "invoke_without_command", False)):
        yield " ".join(path), command
    for name, found in beneath.items():
        yield from commands(found, (*path, name))


def test_every_command_has_help_and_the_first_level_a_panel() -> None:
    root = get_command(app)
    assert {name for name, found in commands(root) if not found.help} == set()
    first: dict[str, Any] = root.commands  # type: ignore[attr-defined]
    assert {name for name, found in first.items() if not found.rich_help_panel} == set()
    assert {"ask", "chat", "search", "documents"} <= set(first)


def test_a_wrong_command_line_is_reported_in_the_envelope(monkeypatch: pytest.MonkeyPatch) -> None:
    root = get_command(app)
    asked = [name for name, found in commands(root) if any("--json" in each.opts for each in found.params)]
    assert len(asked) > 50
    # Typer's runner makes the whole tree of commands anew for each call.
    monkeypatch.setattr("typer.testing._get_command", lambda _: root)
    for name in asked:
        done = CliRunner().invoke(app, [*name.split(), "--json", "--no-such-option"])
        assert done.exit_code == 2, (name, done.output)
        told = json.loads(done.stdout)
        assert set(told) == ENVELOPE, name
        assert (told["command"], told["ok"], told["data"]) == (name, False, None)
        assert told["errors"][0]["code"] == "usage"
        assert "no-such-option" in told["errors"][0]["message"]


def test_failures_are_reported_in_the_envelope_too(command: Command) -> None:
    done = command("ask", "nothing.pdf", "Who?", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["command"]) == (1, False, "ask")
    assert "there is no nothing.pdf" in told["errors"][0]["message"]
    assert "there is no nothing.pdf" in done.stderr
    assert data(command.said("keys", "list", "--json")) == []


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(command: Command) -> None:
    (command.place / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is no document")
    done = command("ask", "broken.pdf", "Who?")
    assert (done.returncode, done.stdout) == (1, "")
    assert "mainspring: broken.pdf could not be read: " in done.stderr
    (command.place / "good.md").write_text("# Otters\n\nSea otters sleep on their backs.\n")
    partly = command("ask", "broken.pdf", "good.md", "How do sea otters sleep?", "--json")
    assert partly.returncode == 3
    assert "on their backs" in json.loads(partly.stdout)["data"]["answer"]
    assert "broken.pdf" in json.loads(partly.stdout)["warnings"][0]


def test_a_collection_is_asked_searched_and_listed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (command.place / "good.md").write_text("# Otters\n\nSea otters sleep on their backs.\n")
    assert command("ingest", "animals", "good.md").returncode == 0
    assert "on their backs" in command.said("ask", "animals", "How do sea otters sleep?")
    assert "no such file, folder or collection" in command("ask", "plants", "Who?").stderr
    assert data(command.said("search", "animals", "sleep", "--json"))[0]["source"] == "good.md"
    (row,) = data(command.said("documents", "animals", "--json"))
    assert (row["name"], row["status"]) == ("good.md", "completed")
    monkeypatch.setenv("MAINSPRING_HOME", str(command.place / "home"))
    assert complete.collections("an") == ["animals"]


def test_the_way_on_names_the_command_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("mainspring", "activate"):
        (programs / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr("sys.argv", [".venv/bin/mainspring"])
    monkeypatch.setenv("PATH", "/nowhere")
    told = welcome.onward("handbook")
    assert '.venv/bin/mainspring ask handbook "your question"' in told
    assert told.count("source .venv/bin/activate") == 1
    monkeypatch.setenv("PATH", str(programs))
    assert "activate" not in welcome.onward("handbook")


def test_commands_without_json_are_excused() -> None:
    lacking = {
        name for name, found in commands(get_command(app)) if not any("--json" in each.opts for each in found.params)
    }
    assert lacking == set(NO_JSON)
    assert all(NO_JSON.values())
