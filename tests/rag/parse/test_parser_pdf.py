"""PDFs made from known text: columns, tables, figures, page furniture, broken words, turned pages, mixed scans."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse import formats
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.parse.pdf.hyphens import Mender
from mainspring.rag.parse.reading_options import Options

canvas = pytest.importorskip("reportlab.pdfgen.canvas")
WITHOUT_OCR = Options(ocr=False)
LEFT = ["The first column opens with a", "sentence that goes on over several", "lines until it ends. Then it says"]
RIGHT = ["that the second column follows", "where the first one has come to its", "end. Nothing else is read between."]


def made(*pages: Callable[[Any], None]) -> bytes:
    buffer = io.BytesIO()
    paper = canvas.Canvas(buffer, pagesize=(595, 842), invariant=1)
    for draw in pages:
        paper.setFont("Times-Roman", 10)
        draw(paper)
        paper.showPage()
    paper.save()
    return buffer.getvalue()


def read(*pages: Callable[[Any], None], options: Options = WITHOUT_OCR) -> Parsed:
    parsed = formats.read(made(*pages), "made.pdf", "pdf", options)
    parts: list[Any] = [*parsed.tables, *parsed.figures, *parsed.headings, *parsed.pages]
    for part in parts:
        assert 0 <= part.start <= part.end <= len(parsed.text)
    return parsed


def write(paper: Any, x: float, y: float, lines: list[str], step: float = 12) -> None:
    for number, line in enumerate(lines):
        paper.drawString(x, y - number * step, line)


def flat(parsed: Parsed) -> str:
    return " ".join(parsed.text.split())


def test_columns_are_read_one_after_the_other_though_drawn_line_by_line() -> None:
    def page(paper: Any) -> None:
        paper.drawString(100, 740, "A title that reaches across both of the columns of this page right here")
        for number in range(3):
            write(paper, 60, 700 - 12 * number, [LEFT[number]])
            write(paper, 320, 700 - 12 * number, [RIGHT[number]])
        paper.drawString(60, 640, "And a last line, also across everything, which must come after both of them.")

    parsed = read(page)
    assert " ".join([*LEFT, *RIGHT]) in flat(parsed)
    assert flat(parsed).startswith("A title") and flat(parsed).endswith("after both of them.")  # noqa: PT018
    assert parsed.route == "layout: columns on 1 of 1 pages, text drawn out of order on 1 of 1 pages"


def test_three_columns() -> None:
    words = [[f"Column {c} has a line {n} of text" for n in range(5)] for c in range(3)]

    def page(paper: Any) -> None:
        for line in range(5):
            for column in range(3):
                paper.drawString(50 + 170 * column, 700 - 12 * line, f"{words[column][line]}, and so")

    found = flat(read(page, options=Options(ocr=False)))
    order = [found.index(line) for column in words for line in column]
    assert order == sorted(order)


def test_one_column_keeps_to_the_rules_and_can_be_asked_for() -> None:
    def page(paper: Any) -> None:
        write(paper, 60, 700, [*LEFT, *RIGHT])

    assert read(page).route == "rules: one column"
    assert read(page, options=Options(ocr=False, parser="layout")).route == "layout: one column; asked for"


def test_text_drawn_from_the_bottom_up() -> None:
    def page(paper: Any) -> None:
        for number in reversed(range(6)):
            paper.drawString(60, 700 - 12 * number, [*LEFT, *RIGHT][number])

    parsed = read(page)
    assert " ".join([*LEFT, *RIGHT]) in flat(parsed)
    assert "out of order" in parsed.route


def test_furniture_is_dropped_and_recorded() -> None:
    def page(number: int) -> Callable[[Any], None]:
        def draw(paper: Any) -> None:
            paper.drawString(60, 805, "Annual Review" if number % 2 else "Harrow and Wren")
            paper.drawString(60, 700, f"Room {number} holds {number * 7} people and no more than that.")
            paper.drawString(290, 30, ("i", "ii", "iii", "iv")[number - 1])
            paper.drawString(60, 45, f"Page {number} of 4")

        return draw

    parsed = read(*(page(number) for number in range(1, 5)))
    assert parsed.text.split("\n\n") == [f"Room {n} holds {n * 7} people and no more than that." for n in range(1, 5)]
    assert {(each.page, each.reason, each.text) for each in parsed.dropped if each.page == 1} == {
        (1, "header", "Annual Review"),
        (1, "page number", "i"),
        (1, "page number", "Page 1 of 4"),
    }


def test_lines_in_the_margin_that_do_not_repeat_are_kept() -> None:
    def page(text: str) -> Callable[[Any], None]:
        return lambda paper: write(paper, 60, 810, [text, "It stands at the very top of its page."])

    parsed = read(page("Wolves came first."), page("Then there were 40 bears."), page("Then came 7 bears."))
    assert parsed.text.count("came") == 2
    assert "Then there were 40 bears." in parsed.text


def test_a_watermark_and_a_turned_page() -> None:
    def page(paper: Any) -> None:
        write(paper, 60, 700, LEFT)
        paper.translate(200, 300)
        paper.rotate(45)
        paper.drawString(0, 0, "DRAFT")

    parsed = read(page)
    assert "DRAFT" not in parsed.text
    assert ("watermark", "DRAFT") in {(each.reason, each.text) for each in parsed.dropped}

    def turned(paper: Any) -> None:
        paper.translate(595, 0)
        paper.rotate(90)
        write(paper, 60, 500, LEFT)

    assert flat(read(turned)) == " ".join(LEFT)


CELLS = [
    ["Zone", "Carrier", "Price"],
    ["1", "Dalehopper", "4.20"],
    ["2", "Quickstag", "7.35"],
    ["3", "Longpond", "9.00"],
]


def grid(paper: Any, *, merged: bool = False) -> None:
    paper.drawString(60, 715, "Table 1: Prices by zone")
    for row, cells in enumerate(CELLS):
        for column, cell in enumerate(cells):
            if not (merged and column == 1 and row == 2):
                paper.drawString(64 + 120 * column, 690 - 18 * row, cell)
    for column in range(4):
        paper.line(60 + 120 * column, 702, 60 + 120 * column, 702 - 72)
    for row in range(5):
        if merged and row == 2:
            paper.line(60, 702 - 18 * row, 180, 702 - 18 * row)
            paper.line(300, 702 - 18 * row, 420, 702 - 18 * row)
        else:
            paper.line(60, 702 - 18 * row, 420, 702 - 18 * row)


def test_a_ruled_table() -> None:
    (table,) = read(grid).tables
    assert [list(row) for row in table.rows] == CELLS
    assert table.caption == "Table 1: Prices by zone"
    assert table.page == 1
    assert table.markdown().splitlines()[:3] == [
        "| Zone | Carrier | Price |",
        "| --- | --- | --- |",
        "| 1 | Dalehopper | 4.20 |",
    ]


def test_a_merged_cell_is_repeated() -> None:
    parsed = read(lambda paper: grid(paper, merged=True))
    assert [row[1] for row in parsed.tables[0].rows] == ["Carrier", "Dalehopper", "Dalehopper", "Longpond"]
    assert "| Zone: 2 | Carrier: Dalehopper | Price: 7.35 |" in parsed.text


def test_cells_drawn_as_boxes() -> None:
    def page(paper: Any) -> None:
        for row, cells in enumerate(CELLS):
            for column, cell in enumerate(cells):
                paper.rect(60 + 120 * column, 684 - 18 * row, 120, 18)
                paper.drawString(64 + 120 * column, 690 - 18 * row, cell)

    assert [list(row) for row in read(page).tables[0].rows] == CELLS


def test_a_table_without_rules_whose_cells_wrap() -> None:
    def page(paper: Any) -> None:
        write(paper, 60, 760, [*LEFT, *RIGHT])
        rows = [["Item", "Note", "Price"], ["Press", "Fits two large cups", "54"], ["Dripper", "Glass only", "29"]]
        y = 660
        for cells in [*rows, ["Stove", "Burns gas", "80"]]:
            for column, cell in enumerate(cells):
                paper.drawString(60 + 150 * column, y, cell)
            if cells[0] == "Dripper":
                y -= 11
                paper.drawString(210, y, "and no plastic")
            y -= 18

    parsed = read(page)
    (table,) = parsed.tables
    assert table.rows[2] == ("Dripper", "Glass only and no plastic", "29")
    assert "| Item: Stove | Note: Burns gas | Price: 80 |" in parsed.text
    assert "tables without rules" in parsed.route


def test_a_table_in_one_of_two_columns() -> None:
    def page(paper: Any) -> None:
        write(paper, 60, 740, LEFT)
        for row, cells in enumerate(CELLS):
            for column, cell in enumerate(cells):
                paper.drawString(60 + 75 * column, 690 - 15 * row, cell)
        write(paper, 60, 620, LEFT)
        write(paper, 320, 740, [*RIGHT, *LEFT] * 2)

    parsed = read(page)
    assert [list(row) for row in parsed.tables[0].rows] == CELLS


def picture(text: str = "") -> Any:
    from PIL import Image, ImageDraw, ImageFont
    from reportlab.lib.utils import ImageReader

    image = Image.new("RGB", (900, 300), "white")
    ImageDraw.Draw(image).text((30, 100), text, fill="black", font=ImageFont.load_default(60))
    return ImageReader(image)


def test_a_figure_has_its_caption_and_its_place() -> None:
    def page(paper: Any) -> None:
        write(paper, 60, 760, LEFT)
        paper.drawImage(picture(), 100, 500, 300, 100)
        paper.drawString(120, 485, "Figure 2: The mill at Marlow Bridge.")
        write(paper, 60, 440, RIGHT)

    parsed = read(page)
    (figure,) = parsed.figures
    assert figure.caption == "Figure 2: The mill at Marlow Bridge."
    assert parsed.text[figure.start : figure.end] == figure.caption
    assert figure.box == pytest.approx((100, 500, 400, 600))
    assert parsed.text.count("Marlow Bridge") == 1
    assert figure.image == b""


def test_the_picture_of_a_figure_is_cut_out_of_its_page() -> None:
    from PIL import Image

    def page(paper: Any) -> None:
        write(paper, 60, 760, LEFT)
        paper.setFillColorRGB(1, 0, 0)
        paper.drawImage(picture("MILL"), 100, 500, 300, 100)
        paper.rect(100, 500, 60, 100, stroke=0, fill=1)
        write(paper, 60, 440, RIGHT)

    (figure,) = read(page, options=Options(ocr=False, images=True)).figures
    cut = Image.open(io.BytesIO(figure.image)).convert("RGB")
    assert cut.size == pytest.approx((625, 208), abs=2)  # 300 by 100 points at 150 dpi
    assert cut.getpixel((20, 100)) == (255, 0, 0)
    assert cut.getpixel((600, 10)) == (255, 255, 255)


@pytest.mark.slow
def test_only_the_scanned_page_of_a_mixed_file_is_recognised() -> None:
    pytest.importorskip("rapidocr")

    def scan(paper: Any) -> None:
        paper.drawImage(picture("Scanned words stand here"), 0, 300, 595, 200)

    def text(paper: Any) -> None:
        write(paper, 60, 700, [*LEFT, *RIGHT])

    parsed = read(text, scan, options=Options())
    assert "Scanned words stand here" in parsed.text
    assert parsed.page_at(parsed.text.index("Scanned")) == 2
    assert " ".join([*LEFT, *RIGHT]) in flat(parsed)
    without = read(text, scan)
    assert any("1 pages are scans" in warning for warning in without.warnings)


def test_words_broken_at_line_ends() -> None:
    mender = Mender(["the well-known mill", "its inform-", "ation and co-operation here"])
    assert mender.join("its inform-", "ation") == "its information"
    assert mender.join("a well-", "known mill") == "a well-known mill"
    assert mender.join("a two-", "year warranty") == "a two-year warranty"
    assert mender.join("soft\u00ad", "ened") == "softened"
    assert mender.join("no hyphen", "here") == "no hyphen here"


@pytest.mark.parametrize(
    ("head", "tail", "whole"),
    [
        *(("re", "gion", "region"), ("pre", "sented", "presented"), ("ex", "ample", "example")),
        *(("in", "to", "into"), ("Satur", "day", "Saturday"), ("art", "work", "artwork"), ("co", "lumn", "column")),
        *(("twenty", "five", "twenty-five"), ("data", "driven", "data-driven"), ("self", "evident", "self-evident")),
        *(("co", "author", "co-author"), ("mill", "author", "mill-author")),
    ],
)
def test_halves_that_say_nothing_of_each_other(head: str, tail: str, whole: str) -> None:
    words = Mender(["the art of the mill lies in to-day's work", "says its author, to the mill's joy"])
    assert words.join(f"{head}-", tail) == whole


def test_a_broken_word_is_whole_in_the_text() -> None:
    def page(paper: Any) -> None:
        write(paper, 60, 700, ["All of the neces-", "sary infor-", "mation is given in these lines."])

    assert flat(read(page)) == "All of the necessary information is given in these lines."


def test_numbers_of_lines_are_left_out_and_numbers_of_rows_are_not() -> None:
    def bill(paper: Any) -> None:
        for number in range(1, 31):
            paper.drawString(80, 750 - 14 * number, f"Line {number} of a bill that is printed with numbers beside it")
            if number % 5 == 0:
                paper.drawString(480, 750 - 14 * number, str(number))

    def rows(paper: Any) -> None:
        for number in range(1, 9):
            paper.drawString(80, 750 - 14 * number, str(5 * number))
            paper.drawString(160, 750 - 14 * number, f"Depot {number}")
            paper.drawString(260, 750 - 14 * number, "open")
        paper.drawString(80, 500, "A line of text below the table, beginning where its numbers do.")

    found = read(bill)
    assert [each.text for each in found.dropped if each.reason == "line number"] == ["5", "10", "15", "20", "25", "30"]
    assert "beside it Line 6" in flat(found)
    assert not read(rows).dropped
    assert "40" in read(rows).text


def test_raised_numbers_that_stand_alone_are_no_line_numbers() -> None:
    def page(paper: Any) -> None:
        for number in range(8):
            paper.drawString(60, 760 - 40 * number, "\u00b2")
            paper.drawString(120, 760 - 40 * number, f"Line {number} of the form has a sign of its own.")

    found = read(page)
    assert "Line 7 of the form has a sign of its own." in flat(found)
    assert not found.dropped


def test_a_frame_around_a_paragraph_is_no_table() -> None:
    def page(paper: Any) -> None:
        for y in (760, 700, 640):
            paper.line(50, y, 500, y)
        for x in (50, 60, 500):
            paper.line(x, 640, x, 760)
        write(paper, 65, 740, LEFT)
        write(paper, 65, 680, RIGHT)

    assert read(page).tables == ()


def test_a_picture_that_comes_again_is_read_once_and_time_for_pictures_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    def page(shade: int, y: float) -> Callable[[Any], None]:
        def draw(paper: Any) -> None:
            write(paper, 60, 700, [*LEFT, *RIGHT])
            paper.drawImage(ImageReader(Image.new("RGB", (80, 60), (shade, 90, 90))), 100, y, 160, 120)

        return draw

    read_pictures: list[tuple[int, ...]] = []

    def words(_: Any, pixels: Any, shown: Any) -> str:
        read_pictures.append(pixels.shape)
        return "three whole words here"

    monkeypatch.setattr("mainspring.rag.parse.ocr.Recogniser.words", words)
    monkeypatch.setattr("mainspring.rag.parse.ocr.installed", lambda: True)
    pages = [page(10, 300), page(10, 400), page(200, 350)]
    parsed = read(*pages, options=Options())
    assert len(read_pictures) == 2
    assert [figure.text for figure in parsed.figures] == ["three whole words here"] * 3
    late = read(*pages, options=Options(pictures_s=-1))
    assert late.warnings == ("only the first 0 pictures were read for text",)
    assert len(read_pictures) == 2
    assert "sentence that goes on" in flat(late)


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    """OCR whose engine fails with ``error`` each time; the numbers of pixels that it was asked to read."""
    seen: list[int] = []

    def engine(_: Any) -> Callable[[Any], Any]:
        def run(pixels: Any) -> Any:
            seen.append(pixels.size)
            raise error

        return run

    monkeypatch.setattr("mainspring.rag.parse.ocr.Recogniser.load", engine)
    monkeypatch.setattr("mainspring.rag.parse.ocr.installed", lambda: True)
    return seen


def with_picture(paper: Any) -> None:
    write(paper, 60, 700, [*LEFT, *RIGHT])
    paper.drawImage(picture("Words in a picture"), 100, 300, 160, 120)


def scan_alone(paper: Any) -> None:
    paper.drawImage(picture("Scanned words stand here"), 0, 300, 595, 200)


def test_a_picture_that_ocr_fails_on_costs_its_own_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = failing(monkeypatch, RuntimeError("Traceback: x\nFailed to allocate 134115504 bytes of memory"))
    parsed = read(with_picture, options=Options())
    assert "sentence that goes on" in flat(parsed)
    (warning,) = parsed.warnings
    assert "more memory than rag.parse_memory_mb allows" in warning
    assert "Traceback" not in warning
    assert len(seen) == 2  # the second time with an engine that remembers nothing


def test_a_scanned_page_that_ocr_fails_on_costs_that_page_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ValueError("bad shape"))
    parsed = read(with_picture, scan_alone, options=Options())
    assert "sentence that goes on" in flat(parsed)
    assert any(each.startswith("page 2 was not read: ") and "(bad shape)" in each for each in parsed.warnings)
    with pytest.raises(UnreadableDocument, match="bad shape"):
        read(scan_alone, options=Options())


def test_marks_of_items_in_the_fonts_of_word_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    from reportlab.pdfbase import pdfmetrics, ttfonts

    # Their fonts have codes of a private area; this one has no such glyphs, so that others stand for them.
    codes, named = {ord("§"): 0xF0B7, ord("¶"): 0xF0A7, ord("¤"): 0xF06F}, ttfonts.makeToUnicodeCMap
    monkeypatch.setattr(
        ttfonts, "makeToUnicodeCMap", lambda font, subset: named(font, [codes.get(code, code) for code in subset])
    )
    pdfmetrics.registerFont(ttfonts.TTFont("Vera", "Vera.ttf"))

    def page(paper: Any) -> None:
        paper.setFont("Vera", 10)
        write(paper, 60, 700, ["What disturbs others in the rooms of the library:"])
        write(paper, 80, 688, ["§ Running in the rooms", "§ Calling out to others who", "¶ Cycling", "¤ Open"])

    said = "- Running in the rooms\n\n- Calling out to others who\n\n- Cycling\n\n- □ Open"
    assert read(page).text == f"What disturbs others in the rooms of the library:\n\n{said}"


def test_text_over_a_picture_is_not_read_from_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture shows a line of its own, at its foot; the page's text is drawn over it."""
    from types import SimpleNamespace

    import numpy
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    def page(paper: Any) -> None:
        paper.drawImage(ImageReader(Image.new("RGB", (80, 60), (250, 250, 250))), 60, 500, 400, 240)
        write(paper, 80, 700, [*LEFT, *RIGHT])
        write(paper, 60, 300, ["What stands below the picture is read as well, as it was."])

    def engine(_: Any) -> Callable[[Any], Any]:
        def run(pixels: Any) -> Any:
            scale = pixels.shape[1] / 400
            lines = [
                (700, 240, "The f1rst colurnn opens with a"),
                (688, 240, "sentence that gocs on"),
                (510, 200, "Own words below it"),
            ]
            boxes = [
                numpy.array(
                    [[x * scale, (740 - y - 9) * scale] for x in (20, wide)]
                    + [[x * scale, (740 - y + 3) * scale] for x in (wide, 20)]
                )
                for y, wide, _ in lines
            ]
            return SimpleNamespace(boxes=boxes, txts=[said for *_, said in lines], scores=[0.99] * len(lines))

        return run

    monkeypatch.setattr("mainspring.rag.parse.ocr.Recogniser.load", engine)
    monkeypatch.setattr("mainspring.rag.parse.ocr.installed", lambda: True)
    parsed = read(page, options=Options())
    assert [figure.text for figure in parsed.figures] == ["Own words below it"]
    assert "f1rst" not in parsed.text
    assert "sentence that goes on" in flat(parsed)


def test_a_sentence_in_large_type_is_no_heading() -> None:
    said = ["Position available", "Salary from $11.50 an hour dependent on experience."]
    titles = ["Management's Discussion and Analysis of Results.", "What should I bring with me?"]

    def page(paper: Any) -> None:
        write(paper, 60, 500, [*LEFT, *RIGHT])
        paper.setFont("Times-Bold", 14)
        write(paper, 60, 760, [*said, *titles], step=40)

    parsed = read(page)
    assert [heading.title for heading in parsed.headings] == [said[0], *titles]
    assert f"\n\n{said[1]}\n\n" in parsed.text
