"""Figures in PDFs that are drawn glyph by glyph, kerned, turned, in columns: none may be lost, and none silently."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from mainspring.rag.parse import formats
from mainspring.rag.parse.pdf import completeness, layout
from mainspring.rag.parse.pdf.geometry import Sheet
from mainspring.rag.parse.pdf.layout import Block
from mainspring.rag.parse.reading_options import Options

pytest.importorskip("reportlab")
_stress = pytest.importorskip("_stress")
WITHOUT_OCR = Options(ocr=False)


def numbers(text: str) -> Counter[str]:
    return Counter(each for each in re.findall(r"\d(?:[\d.,]*\d)?", text) if sum(map(str.isdigit, each)) >= 3)


@pytest.mark.parametrize("way", list(_stress.WAYS))
def test_no_number_and_no_word_is_lost(way: str) -> None:
    made = _stress.make(way)
    parsed = formats.read(made.data, "made.pdf", "pdf", WITHOUT_OCR)
    assert not numbers(made.text) - numbers(parsed.text)
    words = re.compile(r"[A-Za-z]{3,}")
    assert not set(words.findall(made.text)) - set(words.findall(parsed.text))
    assert parsed.warnings == ()


def test_an_amount_is_one_word_in_its_row() -> None:
    made = _stress.make("glyphs")
    parsed = formats.read(made.data, "made.pdf", "pdf", WITHOUT_OCR)
    rows = [line.split() for line in made.pages[0] if re.search(r"\d\)?$", line) and "," in line][-8:]
    found = [line for line in parsed.text.splitlines() if line.startswith("| ")]
    for row in rows:
        assert any(all(cell in line for cell in row) for line in found)


def test_footers_that_count_are_left_out() -> None:
    parsed = formats.read(_stress.make("footers").data, "made.pdf", "pdf", WITHOUT_OCR)
    assert [each.text for each in parsed.dropped] == [f"Annual report 2023 | {number}" for number in (101, 102, 103)]


def test_glyphs_make_few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Sheet] = []
    render = layout.render

    def watched(sheets: Any, *others: Any) -> Any:
        seen.extend(sheets)
        return render(sheets, *others)

    monkeypatch.setattr(layout, "render", watched)
    made = _stress.make("glyphs", pages=1)
    formats.read(made.data, "made.pdf", "pdf", WITHOUT_OCR)
    # What layout does grows with the square of the pieces: a page has its lines and cells, not its glyphs.
    assert sum(len(sheet.pieces) for sheet in seen) <= 60 < len(made.text) / 5


def test_a_page_whose_layout_loses_a_number_is_given_as_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _stress.make("plain")
    render = layout.render

    def careless(sheets: Any, *others: Any) -> Any:
        pages, route = render(sheets, *others)
        for block in pages[1]:
            if block.cells is not None:
                block.cells[2][1] = "1 , 2"
        return pages, route

    monkeypatch.setattr(layout, "render", careless)
    parsed = formats.read(made.data, "made.pdf", "pdf", WITHOUT_OCR)
    assert not numbers(made.text) - numbers(parsed.text)
    assert parsed.warnings == ("the layout of page 2 lost words or numbers: given as plain text instead",)
    first, second = (parsed.text[page.start : page.end] for page in parsed.pages[:2])
    assert "\n| " in first
    assert "\n| " not in second
    # A row of figures stands by itself, the lines of a paragraph do not.
    assert made.pages[1][-1] in second.splitlines()
    assert " ".join(made.pages[1][:2]) in second


def test_what_is_dropped_on_purpose_is_not_lost() -> None:
    sheet = Sheet([], reference="Profit rose to 4,512 in all shops of the company.\nAnnual report 2023\n101\n")
    blocks = [Block("Profit rose to 4,512 in all shops of the company.")]
    checks = completeness.Checks()
    assert checks.page(1, sheet, blocks, ["Annual report 2023", "101"]) == blocks
    assert checks.warnings() == []
    assert checks.page(2, sheet, blocks, []) != blocks


def test_one_number_of_very_many_is_reported_and_the_layout_stays() -> None:
    many = " ".join(str(number) for number in range(1000, 1400))
    sheet = Sheet([], reference=f"{many} 77,777")
    checks = completeness.Checks()
    blocks = [Block(many)]
    assert checks.page(3, sheet, blocks, []) == blocks
    assert checks.warnings() == ["page 3 lacks 77,777"]


@pytest.mark.parametrize(
    ("reference", "text", "words", "lost"),
    [
        ("the invest-\nment grew", "the investment grew", 0, ()),
        ("the commerce grew", "the com merce grew", 1, ()),
        ("sums of 3,558,147 and 12", "sums of 3558147 , , and 12", 0, ("3,558,147",)),
        ("2022 2022", "2022", 0, ("2022",)),
    ],
)
def test_what_counts_as_lost(reference: str, text: str, words: int, lost: tuple[str, ...]) -> None:
    loss = completeness.compare(reference, text)
    assert (loss.words, loss.numbers) == (words, lost)
