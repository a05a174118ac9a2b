"""``mainspring prompts``: prompts are added, shown, labelled, compared, rolled back and deleted."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from mainspring.cli.main import app
from mainspring.core.errors import Conflict, InvalidRequest, NotFound, Outdated
from tests.cli.command import data


def test_prompts_are_added_labelled_compared_rolled_back_and_deleted(tmp_path: Path) -> None:
    def run(*arguments: str, text: str | None = None) -> Result:
        # In this process: a dozen interpreters would take as many seconds.
        env = {"MAINSPRING_HOME": str(tmp_path / "home")}
        return CliRunner().invoke(app, ["prompts", *arguments], env=env, input=text)

    def said(*arguments: str, text: str | None = None) -> str:
        done = run(*arguments, text=text)
        assert done.exit_code == 0, done.exception
        return done.stdout

    assert "No prompts yet" in said("list")
    (tmp_path / "greet.txt").write_text("Greet for {{company}}.\n")
    assert "greet@1 is added, and production points to it" in said(
        "add", "greet", str(tmp_path / "greet.txt"), "--label", "production", "--note", "first"
    )
    assert "nothing is added" in said("add", "greet", str(tmp_path / "greet.txt"))
    (tmp_path / "two.json").write_text(json.dumps([{"role": "system", "content": "Greet {{who}}."}]))
    made = data(said("add", "greet", str(tmp_path / "two.json"), "--json"))
    assert (made["version"], made["variables"], made["author"]) == (2, ["who"], "command line")
    assert "greet@3 is added" in said("add", "greet", "-", text="Three.")
    shown = said("list")
    assert "production=1" in shown
    assert "first" in said("show", "greet")
    assert said("show", "greet", "production") == "[system]\nGreet for {{company}}.\n"
    assert "+Greet {{who}}." in said("diff", "greet", "production", "2")
    assert "points to version 2 (revision 2)" in said("label", "greet", "production", "2", "--seen", "1")
    assert isinstance(run("label", "greet", "production", "3", "--seen", "1").exception, Outdated)
    assert "points to version 1 (revision 3)" in said("rollback", "greet", "production", "--note", "bad")
    assert isinstance(run("delete", "greet").exception, Conflict)
    assert "1 version of greet is deleted" in said("delete", "greet", "2")
    assert isinstance(run("show", "gret").exception, NotFound)
    assert isinstance(run("add", "greet", str(tmp_path / "none.txt")).exception, NotFound)
    assert isinstance(run("add", "greet", "-", text="{{").exception, InvalidRequest)
    assert data(said("list", "--json"))[0]["labels"] == {"production": {"version": 1, "revision": 3}}
