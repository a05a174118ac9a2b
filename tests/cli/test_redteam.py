"""``mainspring redteam`` as people run it: a table, a file of what gets through, an exit status."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from mainspring.cli.main import app
from tests.cli.command import Command

CHAT = "smollm2-135m-instruct"


def test_it_explains_itself() -> None:
    shown = CliRunner().invoke(app, ["redteam", "--help"])
    assert shown.exit_code == 0
    assert "--regressions" in shown.output


def test_unknown_categories_are_named(command: Command) -> None:
    assert "plain, direct" in command.failure("redteam", CHAT, "--categories", "magic")


def test_what_gets_through_is_new_once(command: Command) -> None:
    arguments = ("redteam", CHAT, "--categories", "plain,direct", "--most", "4", "--json")
    weak = {"MAINSPRING_GUARDS__INJECTION": "off", "MAINSPRING_GUARDS__DETECTORS__INJECTION": "off"}
    first = command(*arguments, "--no-off", **weak)
    found = json.loads(first.stdout)
    assert [row["category"] for row in found["categories"]] == ["plain", "direct"]
    assert all(row["succeeded_off"] is None and row["blocked_on"] == 0 for row in found["categories"])
    # The small model obeys whom it likes; the status follows what it did.
    assert first.returncode == (1 if found["new"] else 0)
    updated = json.loads(command(*arguments, "--no-off", "--update", **weak).stdout)
    kept = {each["id"] for each in json.loads((command.place / "redteam.json").read_text())["attacks"]}
    assert kept == {each["id"] for each in updated["through"]}
    # What it obeys may differ from run to run, since answers are written side by side: only what the file lacks is new.
    again = command(*arguments, "--no-off", **weak)
    said = json.loads(again.stdout)
    assert set(said["new"]) == {each["id"] for each in said["through"]} - kept
    assert again.returncode == (1 if said["new"] else 0)


def test_guards_that_refuse_let_less_through(command: Command) -> None:
    shown = command("redteam", CHAT, "--categories", "direct", "--most", "4", "--strict", "--json")
    (row,) = json.loads(shown.stdout)["categories"]
    assert row["attacks"] == 4
    assert row["blocked_on"] >= 2
    assert row["succeeded_on"] <= row["succeeded_off"]
    assert not Path(command.place / "home" / "mainspring.db").exists()
