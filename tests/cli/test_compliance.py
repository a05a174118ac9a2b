"""``mainspring audit``, ``subjects`` and ``retention`` where no server runs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mainspring import stores
from mainspring.cli.main import app
from mainspring.core.errors import Conflict, InvalidRequest
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from tests.cli.command import data

OLD = 500 * 86_400


async def _fill(home: Path) -> None:
    async with stores.open(Settings(home=home)) as opened:
        for name, age in (("old", OLD), ("new", 1)):
            at = time.time() - age
            record = EventRecord(
                f"ans_{name}", at, "default", "t", f"ans_{name}", read("answer", {}), f'"{name}"', person="ana"
            )
            await opened.events.append(record)
        await opened.keys.create("k", scopes=frozenset({"chat"}))


@pytest.fixture
def run(tmp_path: Path) -> Any:
    asyncio.run(_fill(tmp_path / "home"))

    def command(*arguments: str, **settings: str) -> Result:
        # An address where nobody listens: that of the default settings may be somebody's.
        environment = {"MAINSPRING_HOME": str(tmp_path / "home"), "MAINSPRING_URL": "http://127.0.0.1:1", **settings}
        return CliRunner().invoke(app, list(arguments), env=environment)

    return command


def said(done: Result) -> str:
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_the_log_is_listed_exported_and_verified(run: Any, tmp_path: Path) -> None:
    assert "key.created" in said(run("audit", "list"))
    assert data(said(run("audit", "list", "--json", "--action", "key.created")))[0]["number"] == 1
    assert "empty" in said(run("audit", "list", "--tenant", "nobody"))
    said(run("audit", "export", str(tmp_path / "log.jsonl")))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [each["action"] for each in lines] == ["key.created", "audit.exported"]
    (report,) = data(said(run("audit", "verify", "--json")))
    assert (report["intact"], report["entries"]) == (True, 2)
    assert "intact, 2 entries" in said(run("audit", "verify", "--tenant", "default", "--head", report["head"]))
    other = f"9:{'0' * 64}"
    assert isinstance(run("audit", "verify", "--tenant", "default", "--head", other).exception, Conflict)
    assert isinstance(run("audit", "verify", "--head", "nonsense").exception, InvalidRequest)
    connection = sqlite3.connect(tmp_path / "home" / "mainspring.db")
    with connection:
        connection.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 1")
    connection.close()
    found = run("audit", "verify")
    assert isinstance(found.exception, Conflict)
    assert "NOT INTACT" in found.stdout
    assert "entry 1: it was changed" in found.stdout


def test_a_home_without_a_log_is_not_called_intact(run: Any, tmp_path: Path) -> None:
    empty = str(tmp_path / "empty")
    assert said(run("audit", "verify", MAINSPRING_HOME=empty)) == "There is no log yet: nothing was verified.\n"


def test_somebody_is_shown_and_erased(run: Any) -> None:
    shown = [json.loads(line) for line in said(run("subjects", "show", "ana")).splitlines()]
    assert [each.get("content") for each in shown] == ['"old"', '"new"', None]
    receipt = data(said(run("subjects", "erase", "ana", "--yes", "--json")))["receipt"]
    assert (receipt["erased"]["answers"], receipt["erased"]["texts"]) == (2, 2)
    assert len(said(run("subjects", "show", "ana")).splitlines()) == 1
    assert "subject.erased" in said(run("audit", "list"))
    assert isinstance(run("subjects", "show", "ana", "--kind", "dog").exception, InvalidRequest)


def test_what_is_due_is_shown_and_deleted(run: Any) -> None:
    # By default texts are kept for ever.
    found = data(said(run("retention", "--json")))
    assert not any(each["due"] for each in found["classes"])
    year = {"MAINSPRING_COMPLIANCE__RETENTION__CONTENTS_DAYS": "365"}
    found = data(said(run("retention", "--json", **year)))
    assert {each["data"]: each["due"] for each in found["classes"] if each["due"]} == {"contents": 1}
    assert "deleted: 1 contents" in said(run("retention", "--apply", **year))
    shown = [json.loads(line) for line in said(run("subjects", "show", "ana")).splitlines()]
    assert [each.get("content") for each in shown] == [None, '"new"', None]
