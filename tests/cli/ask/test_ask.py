"""``mainspring ask`` and ``ingest``: answers from files without a server, and what is read again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller
from mainspring.terminal import show
from tests.cli.command import Command, data

NOTES = {
    "otters.md": "# Otters\n\nSea otters sleep on their backs and hold hands so that they do not drift apart.\n",
    "tides.txt": "The spring tide at Saint-Malo rises by up to 13.6 metres. The neap tide is far lower.\n",
}


@pytest.fixture
def embedder_only(command: Command) -> Command:
    """A machine that has the embedding model and nothing else, and no way to fetch more: a command that would
    start a chat model fails on it."""
    pulled = Puller(Settings()).pull("all-minilm-l6-v2")
    models = command.place / "models"
    models.mkdir()
    (models / pulled.directory.name).symlink_to(pulled.directory)
    command.settings |= {
        "MAINSPRING_MODELS__DIRECTORY": str(models),
        "MAINSPRING_MODELS__HUB": "http://127.0.0.1:9",
        "PIP_NO_INDEX": "1",
    }
    return command


@pytest.fixture
def notes(command: Command) -> Path:
    folder = command.place / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text)
    return folder


def test_an_answer_with_citations_from_a_machine_without_a_chat_model(embedder_only: Command, notes: Path) -> None:
    command = embedder_only
    first = command("ask", notes, "How far does the spring tide rise at Saint-Malo?", "--json")
    assert first.returncode == 0, first.stderr
    assert "2 read" in first.stderr
    found = data(first.stdout)
    assert "13.6" in found["answer"]
    citation = found["citations"][0]
    assert citation["source"] == "tides.txt"
    assert citation["quote"] == NOTES["tides.txt"][citation["start"] : citation["end"]]

    trace = data(command.said("traces", found["trace_id"], "--json"))
    assert {"answer", "retrieval"} <= {event["kind"] for event in trace["events"]}
    assert any(event["subject"] == found["answer_id"] for event in trace["events"])
    assert trace["spans"]

    again = command("ask", notes, "Who holds hands?")
    assert again.returncode == 0, again.stderr
    assert "2 unchanged" in again.stderr
    assert "Sea otters sleep on their backs" in again.stdout
    assert "[1] otters.md" in again.stdout


def test_an_answer_that_a_model_would_write_needs_the_model(embedder_only: Command, notes: Path) -> None:
    """The other side of the test above: there the chat model would have been missed."""
    done = embedder_only("ask", notes, "Who holds hands?", MAINSPRING_RAG__MODE="generative")
    assert done.returncode == 1
    assert "smollm2-135m-instruct" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_what_changed_is_read_again(embedder_only: Command, notes: Path) -> None:
    def ingest(code: int = 0) -> str:
        done = embedder_only("ingest", "notes", notes)
        assert done.returncode == code, done.stderr
        return done.stderr

    assert "notes: 2 read" in ingest()
    assert "notes: 2 unchanged" in ingest()
    (notes / "otters.md").write_text("# Otters\n\nRiver otters live alone.\n")
    (notes / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is no document")
    (notes / "tides.txt").unlink()
    # A file that is not read ends with a code of its own, so that scripts notice.
    said = ingest(3)
    assert "notes: 1 read, 1 removed, 1 not read" in said
    assert "not read: broken.pdf: " in said


def test_a_file_that_is_broken_is_called_so_and_no_document_without_an_answer(
    embedder_only: Command, notes: Path
) -> None:
    broken = notes / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nthis is no document")
    done = embedder_only("ask", broken, "How far does the spring tide rise?", "--json")
    assert done.returncode == show.FAILED
    told = json.loads(done.stdout)
    assert (told["ok"], told["data"]) == (False, None)
    (error,) = told["errors"]
    assert error["message"].startswith("broken.pdf could not be read: ")
    assert "documents do not" not in done.stdout + done.stderr
    # Beside one that can be read it answers, and the status and a warning tell of the other.
    partly = embedder_only("ask", notes, "How far does the spring tide rise at Saint-Malo?", "--json")
    assert partly.returncode == show.PARTLY
    told = json.loads(partly.stdout)
    assert "13.6" in told["data"]["answer"]
    assert [each for each in told["warnings"] if each.startswith("not read: broken.pdf: ")] == told["warnings"] != []


def test_cards_of_citations_have_no_marks_of_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    heading = "**Leave** > `days` of [the mill](https://x.example/a) * 2 * snake_case"
    card = {"index": 1, "source": "leave.md", "page": None, "heading": heading}
    show.answer({"answer": "Thirty. [1]", "citations": [card], "notices": []})
    assert "  [1] leave.md · Leave > days of the mill * 2 * snake_case\n" in capsys.readouterr().out
