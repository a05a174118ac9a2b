from __future__ import annotations

import asyncio
from pathlib import Path

from typer.testing import CliRunner, Result

from mainspring import stores
from mainspring.cli.main import app
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.settings import Settings
from mainspring.core.types import Message, Principal
from mainspring.serving.memory.layer import stored_name
from mainspring.stores.sessions.turns import SessionTurn
from tests.cli.command import data


async def _fill(home: Path) -> None:
    async with stores.open(Settings(home=home)) as opened:
        for groups in ((), ("hr",)):
            name = stored_name(Principal("default", "k", groups=frozenset(groups)), "tea")
            for number in range(2):
                said = Message("user", f"question {number} {groups}"), Message("assistant", "answer")
                await opened.events.settle([], [SessionTurn("default", name, said, "t", 1.0 + number)])


def test_sessions_are_listed_shown_forked_exported_and_deleted(tmp_path: Path) -> None:
    asyncio.run(_fill(tmp_path / "home"))
    out = tmp_path / "tea.md"

    def run(*arguments: str) -> Result:
        # In this process: a dozen interpreters would take as many seconds.
        return CliRunner().invoke(app, ["sessions", *arguments], env={"MAINSPRING_HOME": str(tmp_path / "home")})

    def said(*arguments: str) -> str:
        done = run(*arguments)
        assert done.exit_code == 0, done.exception
        return done.stdout

    assert "tea" in said("list")
    (listed,) = data(said("list", "--json"))
    assert (listed["id"], listed["turns"]) == ("tea", 2)
    shown = data(said("show", "tea", "--group", "hr", "--json"))
    assert shown["latest"][0]["content"] == "question 0 ('hr',)"
    assert "question 1 ()" in said("show", "tea")
    said("fork", "tea", "tea-2", "--turn", shown["latest"][0]["turn_id"], "--group", "hr")
    forked = data(said("show", "tea-2", "--group", "hr", "--json"))
    assert (forked["turns"], forked["forked_from"]) == (1, "tea")
    said("export", "tea", "--format", "markdown", "--out", str(out))
    assert "**user**\n\nquestion 0" in out.read_text(encoding="utf-8")
    assert "4 messages" in said("delete", "tea")
    assert data(said("list", "--json")) == []
    assert isinstance(run("delete", "tea").exception, NotFound)
    assert isinstance(run("show", "tea").exception, NotFound)
    assert isinstance(run("export", "tea-2", "--format", "pdf").exception, InvalidRequest)
