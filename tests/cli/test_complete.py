"""Names that a shell completes, asked for as the shell does."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mainspring.cli.main import app


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with some collections, one of them made by `ask`."""
    home = tmp_path / "home"
    home.mkdir()
    with closing(sqlite3.connect(home / "mainspring.db")) as database, database:
        database.execute("CREATE TABLE collections (name TEXT)")
        rows = [("handbook",), ("hardware",), ("rules",), ("ask-00ff",)]
        database.executemany("INSERT INTO collections VALUES (?)", rows)
    return home


def completed(place: Path, line: str) -> set[str]:
    """What bash offers for the last word of ``line``, in the folder ``place`` with its home."""
    asked = {"_MAINSPRING_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    with contextlib.chdir(place):
        done = CliRunner(env=asked | {"MAINSPRING_HOME": str(place / "home")}).invoke(app, prog_name="mainspring")
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("mainspring sea", {"search"}),
        ("mainspring search ha", {"handbook", "hardware"}),
        ("mainspring documents r", {"rules"}),
        ("mainspring ingest ru", {"rules"}),
        ("mainspring ask ru", {"rules"}),
        ("mainspring sync ru", {"rules"}),
        ("mainspring rag export ru", {"rules"}),
        ("mainspring rag quarantine ru", {"rules"}),
        ("mainspring chat h", {"handbook", "hardware"}),
        ("mainspring chat docu", {"document-qa"}),
        ("mainspring chat smol", {"smollm2-135m-instruct"}),
        ("mainspring models pull all-mini", {"all-minilm-l6-v2"}),
        ("mainspring search ask-", set()),
    ],
)
def test_names_are_completed(home: Path, line: str, names: set[str]) -> None:
    assert completed(home.parent, line) == names


def test_what_cannot_be_read_completes_to_nothing(home: Path) -> None:
    (home / "mainspring.db").write_bytes(b"no database" * 500)
    assert completed(home.parent, "mainspring search ha") == set()
    (home.parent / "mainspring.yaml").write_text("rag: [unclosed")
    for line in ("mainspring search ha", "mainspring chat d", "mainspring models pull a"):
        assert completed(home.parent, line) == set()
