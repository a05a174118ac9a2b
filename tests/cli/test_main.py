"""The command as a whole: help, versions, and how it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from mainspring import __version__
from mainspring.cli.main import app, run
from tests.cli.command import Command

COMMANDS = ("up", "ask", "ingest", "rag", "eval", "doctor", "traces", "models", "keys")
# What takes long to import has no place in `mainspring --help`.
HEAVY = ("openvino", "openvino_genai", "lancedb", "pyarrow", "fastapi", "sqlalchemy", "alembic", "tokenizers", "numpy")


def test_both_ways_to_call_it_are_the_same(command: Command) -> None:
    assert command.said("--version").strip() == __version__
    script = shutil.which("mainspring", path=str(Path(sys.executable).parent))
    assert script is not None, "the console script is not installed beside this Python"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == __version__


def test_help_names_every_command() -> None:
    for arguments in (["--help"], ["-h"], []):
        shown = CliRunner().invoke(app, arguments)
        assert all(name in shown.output for name in COMMANDS), shown.output


@pytest.mark.parametrize(
    "arguments",
    [*[[name] for name in COMMANDS], ["keys", "create"], ["keys", "list"], ["keys", "revoke"], ["models", "pull"]],
    ids=" ".join,
)
def test_every_command_explains_itself(arguments: list[str]) -> None:
    shown = CliRunner().invoke(app, [*arguments, "--help"])
    assert shown.exit_code == 0, shown.output
    assert "Usage:" in shown.output


def test_help_loads_nothing_heavy() -> None:
    script = f"import sys, mainspring.cli.main; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("given", "told"), [(None, "1"), ("3", "3")])
def test_numpy_multiplies_in_one_thread_unless_told_otherwise(
    given: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
    monkeypatch.setattr("sys.argv", ["mainspring", "--version"])
    with pytest.raises(SystemExit):
        run()
    assert os.environ["OPENBLAS_NUM_THREADS"] == told
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


def test_what_the_terminal_cannot_show_is_escaped(command: Command) -> None:
    command.said("keys", "create", "Zoë ☃")
    assert "Zo\\xeb \\u2603" in command.said("keys", "list", PYTHONIOENCODING="ascii")


def test_a_misspelt_variable_is_refused_with_the_nearest(command: Command) -> None:
    line = command.failure("keys", "list", status=2, MAINSPRING_GATEWAY__PROT="1")
    assert "unknown environment variable MAINSPRING_GATEWAY__PROT" in line
    assert line.endswith("Did you mean MAINSPRING_GATEWAY__PORT?")


def test_a_configuration_that_is_not_there_is_an_error(command: Command) -> None:
    line = command.failure("--config", "nothing.yaml", "doctor", status=2)
    assert "nothing.yaml cannot be read" in line


def test_a_model_that_nobody_knows_is_refused_with_the_nearest(command: Command) -> None:
    (command.place / "a.md").write_text("Hello.")
    line = command.failure("ingest", "notes", "a.md", MAINSPRING_MODELS__EMBEDDING="all-minilm-l6-v3")
    assert "all-minilm-l6-v3" in line
    assert "Did you mean all-minilm-l6-v2?" in line
    line = command.failure("ask", "a.md", "Who?", MAINSPRING_MODELS__CHAT="[smolm2-135m-instruct]")
    assert "Did you mean smollm2-135m-instruct?" in line


@pytest.mark.parametrize(
    "arguments", [["ask", "nothing.pdf", "Who?"], ["ingest", "notes", "nothing"], ["up", "--ingest", "nothing"]]
)
def test_a_path_that_is_not_there_is_an_error_before_anything_starts(command: Command, arguments: list[str]) -> None:
    line = command.failure(*arguments)
    assert "there is no nothing" in line
    assert f"Usage: mainspring {arguments[0]}" in line
    assert not (command.place / "home").exists()


def test_a_question_without_a_path_is_a_usage_error(command: Command) -> None:
    done = command("ask", "Who?")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_unknown_trace_is_an_error(command: Command) -> None:
    assert "nothing is recorded under trace" in command.failure("traces", "0" * 32)


def _helps(command: Any, name: str) -> Iterator[tuple[str, str]]:
    """Each text of the help of a command and of those beneath it."""
    yield name, command.help or ""
    for each in command.params:
        yield f"{name} {each.name}", getattr(each, "help", None) or ""
    for beneath, found in getattr(command, "commands", {}).items():
        yield from _helps(found, f"{name} {beneath}")


def test_help_shows_all_that_is_written() -> None:
    helps = dict(_helps(get_command(app), "mainspring"))
    assert len(helps) > 200
    # What stands in brackets is taken for a style and swallowed.
    assert [name for name, text in helps.items() if Text.from_markup(text).plain != text] == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("restore", ".", "--home", "new"), ".: Is a directory"),
        (("telemetry", "write", "taken"), "taken: File exists"),
        (("ingest", "c", "x" * 3000), "there is no xxx"),
    ],
    ids=["restore", "telemetry", "ingest"],
)
def test_files_that_cannot_be_read_or_written_are_one_line(
    command: Command, arguments: tuple[str, ...], why: str
) -> None:
    (command.place / "taken").write_text("")
    assert why in command.failure(*arguments)
