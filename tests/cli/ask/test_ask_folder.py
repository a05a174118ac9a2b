"""``mainspring ask`` over a folder with every kind of file, each with its own fact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from reportlab.pdfgen.canvas import Canvas
from typer.testing import Result

from tests.cli.command import data

FACTS = {
    "boiler.pdf": ("What pressure does the boiler have?", "The boiler works at a pressure of 1.7 bar."),
    "garden.docx": ("When are the tulips planted?", "The tulips are planted in late October."),
    "launch.pptx": ("Which city hosts the launch party?", "The launch party is held in the city of Aarhus."),
    "prices.xlsx": ("What does a kilo of saffron cost?", "4210"),
    "visit.html": ("When does the museum open on Sundays?", "On Sundays the museum opens at eleven."),
    "otters.md": ("How do sea otters sleep?", "Sea otters sleep on their backs."),
    "tides.txt": ("How far does the spring tide rise?", "The spring tide rises by 13.6 metres."),
    "retry.py": ("How many times is a failed upload retried?", "A failed upload is retried seven times"),
}


def write(folder: Path) -> None:
    said = {name: text for name, (_, text) in FACTS.items()}
    page = Canvas(str(folder / "boiler.pdf"))
    page.drawString(72, 700, said["boiler.pdf"])
    page.save()
    document = docx.Document()
    document.add_heading("Garden", 1)
    document.add_paragraph(said["garden.docx"])
    document.save(str(folder / "garden.docx"))
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Launch"
    slide.placeholders[1].text = said["launch.pptx"]
    deck.save(str(folder / "launch.pptx"))
    book = openpyxl.Workbook()
    for row in (["Spice", "Price of a kilo"], ["Saffron", 4210], ["Pepper", 19]):
        book.active.append(row)
    book.save(folder / "prices.xlsx")
    html = f"<html><body><article><h1>Visit</h1><p>{said['visit.html']}</p></article></body></html>"
    (folder / "visit.html").write_text(html)
    (folder / "otters.md").write_text(f"# Otters\n\n{said['otters.md']}\n")
    (folder / "tides.txt").write_text(said["tides.txt"])
    code = f'def upload(path):\n    """{said["retry.py"]} before it is given up."""\n    return send(path, retries=7)\n'
    (folder / "retry.py").write_text(code)


@pytest.mark.timeout(300)
def test_every_kind_of_file_answers(done: Callable[..., Result], tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    write(folder)
    for number, (name, (question, fact)) in enumerate(FACTS.items()):
        result = done("ask", str(folder), question, "--json")
        assert ("8 read" if number == 0 else "8 unchanged") in result.stderr
        found = data(result.stdout)
        assert fact in found["answer"].replace("**", ""), (name, found["answer"])
        assert name in {citation["source"] for citation in found["citations"]}
