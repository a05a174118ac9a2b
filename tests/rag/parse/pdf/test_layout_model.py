"""The layout model's route: hand-made regions to text, and pages through the real model where it is pulled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mainspring.core.errors import ModelError, ModelNotPulled
from mainspring.core.settings import ModelsSettings, RagSettings, Settings
from mainspring.engines.encode import picodet
from mainspring.rag.parse import formats
from mainspring.rag.parse.parser import Parser
from mainspring.rag.parse.parser import layout_model as graph_of
from mainspring.rag.parse.pdf import layout, layout_model
from mainspring.rag.parse.pdf.geometry import Picture, Piece, Sheet
from mainspring.rag.parse.pdf.layout_model import Region
from mainspring.rag.parse.reading_options import Options
from tests.rag.parse.test_parser_pdf import LEFT, RIGHT, made, write


def lines(x: float, y: float, texts: list[str], width: float = 200, size: float = 10) -> list[Piece]:
    return [Piece(x, y - 12 * n, x + width, y - 12 * n + 9, text, size=size) for n, text in enumerate(texts)]


def blocks(sheet: Sheet, regions: list[Region]) -> tuple[list[layout.Block], list[str]]:
    arranged, dropped = layout_model.arrange(sheet, regions, 1)
    rendered, route = layout.render([sheet], "layout-model", [arranged])
    assert route == "layout-model: read by the layout model on 1 of 1 pages; asked for"
    return rendered[0], [each.reason for each in dropped]


def test_columns_are_read_in_order_and_a_footnote_last() -> None:
    note = lines(60, 90, ["1 A footnote below the first column."])
    sheet = Sheet([*lines(320, 700, RIGHT), *note, *lines(60, 700, LEFT)])
    regions = [
        Region("text", 0.9, (320, 670, 520, 712)),
        Region("reference", 0.8, (58, 88, 262, 101)),
        Region("text", 0.9, (60, 670, 260, 712)),
    ]
    found, _ = blocks(sheet, regions)
    text = " ".join(block.text for block in found)
    assert " ".join([*LEFT, *RIGHT]) in text
    assert text.endswith("1 A footnote below the first column.")


def test_a_title_across_both_columns_parts_what_is_above_from_what_is_below() -> None:
    four = {"a": (60, 700), "b": (320, 700), "c": (60, 500), "d": (320, 500)}
    pieces = [piece for name, (x, y) in four.items() for piece in lines(x, y, [f"Part {name} is here.", "It ends."])]
    title = Piece(60, 600, 520, 612, "A title across", size=10)
    regions = [Region("text", 0.9, (x, y - 15, x + 200, y + 12)) for x, y in four.values()]
    found, _ = blocks(Sheet([title, *reversed(pieces)]), [*regions, Region("title", 0.9, title.box)])
    text = " ".join(block.text for block in found)
    order = [text.index(part) for part in ("Part a", "Part b", "# A title across", "Part c", "Part d")]
    assert order == sorted(order)


def test_titles_become_headings_by_what_they_are_not_by_their_size() -> None:
    sheet = Sheet([*lines(60, 700, ["2.1 Of the same size"]), *lines(60, 660, ["Large words"], size=14)])
    regions = [Region("title", 0.9, (60, 699, 260, 710)), Region("text", 0.9, (60, 659, 260, 670))]
    found, _ = blocks(sheet, regions)
    assert [block.text for block in found] == ["### 2.1 Of the same size", "Large words"]


def test_what_the_model_does_not_see_is_read_all_the_same() -> None:
    sheet = Sheet([*lines(60, 700, ["Seen by the model."]), *lines(60, 600, ["Not seen", "by it at all."])])
    found, _ = blocks(sheet, [Region("text", 0.9, (60, 698, 260, 712))])
    assert [block.text for block in found] == ["Seen by the model.", "Not seen by it at all."]


def test_a_table_with_gaps_and_no_rules_has_its_cells() -> None:
    cells = [["Name", "Days", "Price"], ["Wren", "3", "4.10"], ["Kestrel", "12", "8.00"]]
    pieces = [
        Piece(60 + 90 * c, 700 - 14 * r, 100 + 90 * c, 709 - 14 * r, cell, size=10)
        for r, row in enumerate(cells)
        for c, cell in enumerate(row)
    ]
    caption = lines(60, 725, ["Prices and days of all carriers"])
    regions = [Region("table", 0.9, (58, 670, 290, 712)), Region("table_caption", 0.8, caption[0].box)]
    found, _ = blocks(Sheet([*caption, *pieces]), regions)
    table = next(block for block in found if block.cells is not None)
    assert table.cells == cells
    assert table.caption == "Prices and days of all carriers"


def test_a_frame_around_prose_is_no_table() -> None:
    prose = [f"Line {n} of a paragraph that stands in a box which looks like a table to a model" for n in range(4)]
    found, _ = blocks(Sheet(lines(60, 700, prose, width=400)), [Region("table", 0.9, (58, 655, 470, 712))])
    assert all(block.cells is None for block in found)
    assert prose[0] in found[0].text


def test_labels_in_a_drawing_are_the_figure_s_and_its_caption_needs_no_number() -> None:
    labels = [Piece(100 + 80 * n, 600, 130 + 80 * n, 609, f"axis {n}", size=7) for n in range(3)]
    caption = lines(80, 560, ["How the load grows with the hour"])
    sheet = Sheet([*labels, *caption], pictures=[Picture(90, 590, 200, 690, packed=9)])
    regions = [Region("figure", 0.9, (80, 580, 400, 700)), Region("figure_caption", 0.9, caption[0].box)]
    found, _ = blocks(sheet, regions)
    assert len(found) == 1
    assert found[0].picture is not None
    assert found[0].picture.text == "axis 0 axis 1 axis 2"
    assert found[0].caption == "How the load grows with the hour"


def test_furniture_goes_only_from_the_margin() -> None:
    sheet = Sheet([*lines(60, 810, ["A running title"]), *lines(60, 400, ["In the middle."]), *lines(300, 30, ["17"])])
    regions = [Region("header", 0.9, (60, 808, 260, 822)), Region("header", 0.9, (60, 398, 260, 412))]
    found, reasons = blocks(sheet, [*regions, Region("footer", 0.9, (300, 28, 500, 42))])
    assert [block.text for block in found] == ["In the middle."]
    assert reasons == ["header", "page number"]


def test_one_thing_seen_twice_is_one_region() -> None:
    twice = [
        picodet.Region("title", 0.9, 0.1, 0.1, 0.5, 0.15),
        picodet.Region("text", 0.6, 0.1, 0.1, 0.52, 0.15),
        picodet.Region("text", 0.5, 0.1, 0.3, 0.5, 0.5),
    ]
    found = layout_model.regions(twice, Sheet([], height=800, width=600))
    assert [(each.label, each.score) for each in found] == [("title", 0.9), ("text", 0.5)]
    assert found[0].box == pytest.approx((60, 680, 300, 720))


def test_without_a_model_the_error_says_what_to_run(tmp_path: Any) -> None:
    settings = Settings(models=ModelsSettings(directory=tmp_path), rag=RagSettings(parser="layout-model"))
    with pytest.raises(ModelNotPulled, match="mainspring models pull pp-layout-cdla"):
        graph_of(settings)
    assert settings.local_models[-1] == "pp-layout-cdla"
    assert graph_of(Settings(models=ModelsSettings(directory=tmp_path))) == ""
    with pytest.raises(ModelError, match="no layout model was given"):
        formats.read(made(lambda paper: write(paper, 60, 700, LEFT)), "a.pdf", "pdf", Options(parser="layout-model"))


def test_a_file_that_is_no_such_model_is_refused(tmp_path: Any) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not an ONNX file")
    with pytest.raises(ModelError, match=r"bad\.onnx is not a model"):
        picodet.convert(tmp_path / "bad.onnx", tmp_path / "out", "bad", ("text",))


# --- with the real model --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph() -> str:
    try:
        return graph_of(Settings(rag=RagSettings(parser="layout-model")))
    except ModelNotPulled as error:
        pytest.skip(str(error))


def _paper(paper: Any) -> None:
    paper.setFont("Times-Roman", 9)
    paper.drawString(60, 815, "Proceedings of nothing at all")
    paper.setFont("Times-Bold", 20)
    paper.drawString(150, 760, "On the Reading of Pages")
    text = paper.beginText()
    for x, words in ((60, "the first column goes on"), (310, "and the second column too")):
        paper.setFont("Times-Bold", 12)
        paper.drawString(x, 700, f"{1 if x < 100 else 2} Section in {'left' if x < 100 else 'right'}")
        text.setFont("Times-Roman", 10)
        for number in range(40):
            text.setTextOrigin(x, 680 - 13 * number)
            text.textOut(f"Line {number}: {words} with words of text")
    paper.drawText(text)


def test_a_page_through_the_real_model(graph: str) -> None:
    options = Options(ocr=False, parser="layout-model", layout_model=graph)
    parsed = formats.read(made(_paper), "paper.pdf", "pdf", options)
    titles = [heading.title for heading in parsed.headings]
    assert [title for title in titles if "Section" in title] == ["1 Section in left", "2 Section in right"]
    flat = " ".join(parsed.text.split())
    assert flat.index("Line 39: the first") < flat.index("Line 0: and the second")
    for heading in parsed.headings:
        assert heading.title in parsed.text[heading.start : heading.start + 80]


async def test_the_child_process_runs_the_model_within_its_limits(graph: str) -> None:
    parser = Parser(RagSettings(parser="layout-model", ocr=False), graph)
    try:
        parsed = await parser.parse(made(_paper), "paper.pdf")
    finally:
        await parser.close()
    assert parsed.route.startswith("layout-model: read by the layout model on 1 of 1 pages")


def test_the_converted_model_finds_what_is_drawn(graph: str) -> None:
    from pathlib import Path

    import pypdfium2

    detector = picodet.Detector(Path(graph))
    draw: Callable[[Any], None] = _paper
    page = pypdfium2.PdfDocument(made(draw))[0]
    found = detector.find(page.render(scale=detector.height / page.get_height()).to_numpy())
    columns = [each for each in found if each.label == "text" and each.bottom - each.top > 0.4]
    assert len(columns) == 2
    assert all(
        abs(each.left - want) < 0.03
        for each, want in zip(sorted(columns, key=lambda c: c.left), (0.1, 0.52), strict=True)
    )
