"""``mainspring eval`` as people run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mainspring.cli.main import app
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller
from tests.cli.command import Command, data


@pytest.fixture
def mine(command: Command) -> Path:
    """A small collection, on a machine that has no chat model."""
    models = command.place / "models"
    models.mkdir()
    for name in ("all-minilm-l6-v2", "near-miss-reader"):
        pulled = Puller(Settings()).pull(name)
        (models / pulled.directory.name).symlink_to(pulled.directory)
    command.settings["MAINSPRING_MODELS__DIRECTORY"] = str(models)
    folder = command.place / "mine"
    (folder / "documents").mkdir(parents=True)
    (folder / "documents" / "otters.md").write_text("Sea otters sleep on their backs and hold hands.\n")
    (folder / "documents" / "tides.txt").write_text("The spring tide at Saint-Malo rises by up to 13.6 metres.\n")
    rows = [
        {"question": "How do otters sleep?", "sources": ["otters.md"], "answers": ["on their backs"]},
        {"question": "How far does the tide rise at Saint-Malo?", "sources": ["tides.txt"], "answers": ["13.6 metres"]},
        {"question": "Who invented the telephone?", "kind": "off_topic"},
    ]
    (folder / "questions.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


@pytest.mark.parametrize("name", [[], ["rag"], ["answers"], ["refusal"], ["collections"]], ids=" ".join)
def test_every_command_explains_itself(name: list[str]) -> None:
    shown = CliRunner().invoke(app, ["eval", *name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert "Usage:" in shown.output


def test_the_known_collections_are_listed(command: Command) -> None:
    names = [row["name"] for row in data(command.said("eval", "collections", "--json"))]
    assert {"cranfield", "cacm", "squad", "handbook", "2wiki"} <= set(names)


def test_arms_are_compared_on_ones_own_folder(command: Command, mine: Path) -> None:
    out = command.place / "found.md"
    shown = command.said("eval", "rag", mine, "--retrievers", "bm25,dense,hybrid", "--k", "2", "--out", out)
    assert "ndcg@2" in shown
    assert "baseline" in shown
    for name in ("bm25", "dense", "hybrid"):
        assert f"| {name} | 1.000 [1.000, 1.000] |" in out.read_text()
    assert not (command.place / "home").exists()


def test_refusal_tells_what_is_off_topic(command: Command, mine: Path) -> None:
    found = data(command.said("eval", "refusal", mine, "--json"))
    assert found["questions"] == {"answerable": 2, "off_topic": 1}
    assert found["auroc"]["off_topic"]["value"] == 1
    assert found["refused"]["off_topic"] == 1


def test_answers_are_scored_and_written_for_reading(command: Command, mine: Path) -> None:
    out, home = command.place / "answers.md", command.place / "kept"
    arguments = ("eval", "answers", mine, "--mode", "extractive", "--home", home)
    shown = command.said(*arguments, "--out", out)
    assert "answer contained" in shown
    text = out.read_text()
    assert "| answer contained | 1.000 | 0.342 to 1.000 | 2 |" in text
    assert "| off topic refused | 1.000 |" in text
    assert "Cited: tides.txt" in text
    twice = command(*arguments, "--json")
    assert "mine: 2 unchanged" in twice.stderr
    again = data(twice.stdout)
    assert [each["right_first"] for each in again["answers"]] == [True, True, False]
    assert [each["refused"] for each in again["answers"]] == [False, False, True]
    assert again["refusing"]


def test_what_cannot_be_measured_is_one_line(command: Command, mine: Path) -> None:
    assert "there is no collection and no folder cranfeild" in command.failure("eval", "rag", "cranfeild")
    assert "there is no technique magic" in command.failure("eval", "rag", mine, "--expansions", "magic")
    assert "has no reported queries" in command.failure("eval", "rag", mine, "--split", "reported")
