"""Office files, pages, mails and records made by their own libraries, and what must be read from them."""

from __future__ import annotations

import datetime
import io
import string
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.rag.parse import formats
from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.markup import markdown
from mainspring.rag.parse.office import number_format
from mainspring.rag.parse.parsed import Parsed


def saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def read(data: bytes | str, name: str, kind: str) -> Parsed:
    parsed = formats.read(data.encode() if isinstance(data, str) else data, name, kind)
    for table in parsed.tables:
        assert all(line.startswith("| ") for line in parsed.text[table.start : table.end].split("\n"))
    return parsed


# --- Word -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def word() -> Parsed:
    docx = pytest.importorskip("docx")
    from docx.oxml import parse_xml

    names = (
        'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml"'
    )
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Running header"
    document.sections[0].footer.paragraphs[0].text = "Running footer"
    document.add_heading("The title", 0)
    document.add_heading("Part one", 1)
    noted = document.add_paragraph("A paragraph in ")
    noted.add_run("two runs").bold = True
    noted.add_run(", with a_mark * in it.")
    document.add_comment(noted.runs, text="What a comment says", author="Me")
    document.add_paragraph("first item", style="List Bullet")
    document.add_paragraph("inner item", style="List Bullet 2")
    table = document.add_table(3, 3)
    for row in range(3):
        for column in range(3):
            table.cell(row, column).text = f"c{row}{column}" if row else f"Head {column}"
    table.cell(2, 0).text = table.cell(1, 2).text = ""
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(1, 1).merge(table.cell(1, 2))
    box = "<w:txbxContent><w:p><w:r><w:t>Boxed words</w:t></w:r></w:p></w:txbxContent>"
    document.element.body.insert(
        3,
        parse_xml(
            f"<w:p {names}><w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing>{box}</w:drawing></mc:Choice>"
            f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
        ),
    )
    document.element.body.insert(
        4,
        parse_xml(
            f'<w:p {names}><w:r><w:t xml:space="preserve">Kept </w:t></w:r><w:del w:id="1" w:author="x"><w:r>'
            '<w:delText>gone</w:delText></w:r></w:del><w:ins w:id="2" w:author="x"><w:r><w:t>and new.</w:t></w:r>'
            "</w:ins></w:p>"
        ),
    )
    return read(saved(document), "a.docx", "docx")


def test_headings_and_lists_of_word(word: Parsed) -> None:
    assert [(each.level, each.title) for each in word.headings] == [(1, "The title"), (2, "Part one")]
    assert "- first item\n  - inner item" in word.text
    assert "A paragraph in two runs, with a_mark * in it." in word.text


def test_what_is_not_the_text_of_word_is_dropped_and_recorded(word: Parsed) -> None:
    assert {(each.reason, each.text) for each in word.dropped} == {
        ("header", "Running header"),
        ("footer", "Running footer"),
        ("comment", "What a comment says"),
    }
    for each in word.dropped:
        assert each.text not in word.text
    assert "Kept and new." in word.text
    assert "gone" not in word.text
    assert word.text.count("Boxed words") == 1


def test_merged_cells_of_word(word: Parsed) -> None:
    (table,) = word.tables
    assert table.rows == (("Head 0", "Head 1", "Head 2"), ("c10", "c11", "c11"), ("c10", "c21", "c22"))


# --- slides ---------------------------------------------------------------------------------------------------


def test_slides_in_the_order_shown_with_notes_and_tables() -> None:
    pptx = pytest.importorskip("pptx")
    deck = pptx.Presentation()
    for number in range(2):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
        slide.placeholders[1].text = f"point {number}\nmore"
        slide.notes_slide.notes_text_frame.text = f"Say {number}"
    table = slide.shapes.add_table(3, 2, 0, 0, 5_000_000, 1_000_000).table
    for row in range(3):
        for column in range(2):
            table.cell(row, column).text = f"{'hc'[row > 0]}{row}{column}"
    table.cell(2, 0).text = ""
    table.cell(1, 0).merge(table.cell(2, 0))
    listed = deck.slides._sldIdLst
    listed.insert(0, listed[1])
    parsed = read(saved(deck), "a.pptx", "pptx")
    assert [each.title for each in parsed.headings] == ["Slide 1", "Slide 0"]
    assert parsed.text.index("Notes: Say 1") < parsed.text.index("Slide 0") < parsed.text.index("Notes: Say 0")
    assert "- point 1\n- more" in parsed.text
    assert [row[0] for row in parsed.tables[0].rows] == ["h00", "c10", "c10"]


# --- sheets ---------------------------------------------------------------------------------------------------


def test_diagrams_of_slides_are_read_in_their_own_order() -> None:
    pptx = pytest.importorskip("pptx")
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI
    from pptx.oxml import parse_xml

    drawing = "http://schemas.openxmlformats.org/drawingml/2006"
    names = f'xmlns:a="{drawing}/main" xmlns:dgm="{drawing}/diagram"'

    def point(number: int, text: str) -> str:
        words = f"<dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t>" if text else ""
        return f'<dgm:pt modelId="{number}">{words}</dgm:pt>'

    points = "".join(point(*each) for each in enumerate(("", "Roast", "Order the beans", "Weigh twice")))
    # (parent, child, place): the order is that of the connections, not that of the points. The last one is a loop.
    links = "".join(
        f'<dgm:cxn srcId="{one}" destId="{two}" srcOrd="{place}"/>'
        for one, two, place in ((0, 1, 1), (0, 2, 0), (2, 3, 0), (3, 2, 0))
    )
    data = f"<dgm:dataModel {names}><dgm:ptLst>{points}</dgm:ptLst><dgm:cxnLst>{links}</dgm:cxnLst></dgm:dataModel>"
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "How it is done"
    kind = "application/vnd.openxmlformats-officedocument.drawingml.diagramData+xml"
    part = Part(PackURI("/ppt/diagrams/data1.xml"), kind, deck.part.package, data.encode())
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    identity = slide.part.relate_to(part, f"{relations}/diagramData")
    frame = (
        f'<p:graphicFrame xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" {names}>'
        f'<a:graphic><a:graphicData uri="{drawing}/diagram">'
        f'<dgm:relIds xmlns:r="{relations}" r:dm="{identity}"/></a:graphicData></a:graphic></p:graphicFrame>'
    )
    slide.shapes._spTree.append(parse_xml(frame))
    parsed = read(saved(deck), "a.pptx", "pptx")
    assert parsed.text == "## How it is done\n\n- Order the beans\n  - Weigh twice\n- Roast"


def test_sheets_show_values_as_the_program_does() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Rates"
    sheet.append(["Day", "Price", "Share", "Open", "Double"])
    sheet.append([datetime.date(2026, 3, 1), 1234.5, 0.256, True, "=B2*2"])
    sheet["A2"].number_format = "dd/mm/yyyy"
    sheet["B2"].number_format = '#,##0.00 "EUR"'
    sheet["C2"].number_format = "0.0%"
    sheet.append([datetime.datetime(2026, 3, 2, 10, 30), 2, 0.5, False, None])
    sheet["A5"] = "A second table"
    sheet.merge_cells("A5:B5")
    sheet.append(["Kind", "Count"])
    sheet.append(["Wren", 3])
    hidden = book.create_sheet("Old")
    hidden.append(["k", "v"])
    hidden.append(["a", 1])
    hidden.sheet_state = "hidden"
    parsed = read(saved(book), "a.xlsx", "xlsx")
    assert "| Rates | Day: 2026-03-01 | Price: 1,234.50 EUR | Share: 25.6% | Open: TRUE |" in parsed.text
    assert "| Rates | Day: 2026-03-02 10:30:00 | Price: 2 | Share: 0.5 | Open: FALSE |" in parsed.text
    assert "\n\nA second table\n\n| Rates | Kind: Wren | Count: 3 |" in parsed.text
    assert [each.title for each in parsed.headings] == ["Rates", "Old (hidden)"]
    assert len(parsed.tables) == 3
    assert parsed.warnings == ("1 formulas have no result: open and save the file to compute them",)


def test_rows_of_sheets_keep_their_column_names() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sales"
    for row in (["Region", 2023, 2022], ["North", 1200, 1100], [], ["South", 900, 850], ["West", 7, 8]):
        sheet.append(row)
    parsed = read(saved(book), "a.xlsx", "xlsx")
    assert parsed.text.splitlines()[2:] == [
        "| Sales | Region: North | 2023: 1200 | 2022: 1100 |",
        "",
        "| Sales | Region: South | 2023: 900 | 2022: 850 |",
        "| Sales | Region: West | 2023: 7 | 2022: 8 |",
    ]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (1234.5, "#,##0.00", "1,234.50"),
        (0.5, "0%", "50%"),
        (2.675, "0.00", "2.68"),
        (-3, "0.0", "-3.0"),
        (-3, "0;(0)", "(3)"),
        (1_500_000, '0.0,,"M"', "1.5M"),
        (7, '"No. "0', "No. 7"),
        (12.5, "[$€-407]0.00", "€12.50"),
        (46082, "yyyy-mm-dd", "2026-03-01"),
        (46082.4375, "d/m/yy h:mm", "2026-03-01 10:30"),
        (0.75, "h:mm", "18:00"),
        (1.5, "[h]:mm", "36:00:00"),
        (59, "d", "1900-02-28"),
        (0.1 + 0.2, "General", "0.3"),
        (3.25, "0.##", "3.25"),
        (3.0, "0.##", "3"),
    ],
)
def test_number_formats(value: float, code: str, shown: str) -> None:
    assert number_format.show(value, code) == shown


# --- pages, mails, records ------------------------------------------------------------------------------------

PAGE = """<html><head><title>Prices of 2026</title></head><body><nav><a href="/">Home</a> <a href="/x">Shop</a></nav>
<article><h1>Prices</h1><p>These are the prices that hold from March of this year until they are replaced by others.</p>
<table><caption>By zone</caption><tr><th rowspan=2>Zone</th><th colspan=2>Parcel</th></tr>
<tr><th>small</th><th>large</th></tr>
<tr><td>1</td><td>4.20</td><td>9.10</td></tr><tr><td>2</td><td colspan=2>on request</td></tr></table>
<p>Whoever needs more than that asks the people at the depot, who know about everything else.</p></article>
<footer>Copyright and imprint</footer></body></html>"""


def test_a_page_without_its_navigation_and_with_its_table() -> None:
    pytest.importorskip("trafilatura")
    parsed = read(PAGE, "a.html", "html")
    assert "Copyright and imprint" not in parsed.text
    assert "Shop" not in parsed.text
    (table,) = parsed.tables
    assert table.caption == "By zone"
    assert table.rows == (
        ("Zone", "Parcel small", "Parcel large"),
        ("1", "4.20", "9.10"),
        ("2", "on request", "on request"),
    )
    assert parsed.text.index("hold from March") < table.start < parsed.text.index("Whoever needs")


def test_a_mail() -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Grüße", "Ines <ines@example.org>", "wren@example.org"
    mail.set_content("# Not a heading\nThe parcel arrives on Monday.")
    mail.add_alternative("<p>The parcel arrives on Monday.</p>", subtype="html")
    mail.add_attachment(b"12345", maintype="application", subtype="pdf", filename="bill.pdf")
    parsed = read(mail.as_bytes(), "a.eml", "email")
    assert [each.title for each in parsed.headings] == ["Grüße"]
    assert "From: Ines <ines@example.org>\nTo: wren@example.org" in parsed.text
    assert parsed.text.count("The parcel arrives on Monday.") == 1
    assert "Attachments: bill.pdf (application/pdf, 5 bytes)" in parsed.text


def test_records() -> None:
    row = "| name: Wren | address.city: Marlow | tags: a, b |"
    record = '{"name": "Wren", "address": {"city": "Marlow"}, "tags": ["a", "b"]}'
    assert row in read(f"[{record}, {record}]", "a.json", "json").text
    lines = read(f"{record}\nnot json\n", "a.jsonl", "jsonl")
    assert row in lines.text
    assert "not json" in lines.text
    assert len(lines.warnings) == 1
    xml = "<shop><item id='1'><name>Wren</name></item><item id='2'><name>Press</name></item></shop>"
    assert "| id: 2 | name: Press |" in read(xml, "a.xml", "xml").text
    assert read("a\tb\n1\t2\n", "a.tsv", "csv").text == "| a: 1 | b: 2 |"
    assert read('{"just": "one"}', "a.json", "json").text == '{"just": "one"}'


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("日本語の文章はこのように書かれます。倉庫は三つあります。", "shift_jis"),
        ("Цены действуют с марта этого года и до тех пор, пока их не заменят.", "cp1251"),
        ("Plain words without a mark at the start", "utf-16-le"),
        ("Plain words without a mark at the start", "utf-16-be"),
    ],
)
def test_older_encodings(text: str, encoding: str) -> None:
    pytest.importorskip("charset_normalizer")
    assert read(text.encode(encoding), "a.txt", "text").text == text


def test_front_matter_and_fences_of_markdown() -> None:
    text = '---\ntitle: "The mill"\ntags: [coffee]\n---\nWords.\n\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n```\n'
    parsed = read(text, "a.md", "markdown")
    assert [each.title for each in parsed.headings] == ["The mill"]
    assert "tags: [coffee]" in parsed.text
    assert "| a | b |\n|---|---|" in parsed.text
    assert parsed.tables == ()


def test_pairs_of_front_matter_are_rows_and_switches_are_left_out() -> None:
    text = "---\ntitle: The mill\ndate: 2024-03-01\nauthor: 'Ada'\ndraft: false\n---\nIt grinds.\n"
    parsed = read(text, "a.md", "markdown")
    assert parsed.text == "# The mill\n\n| date: 2024-03-01 |\n| author: Ada |\n\nIt grinds."


def test_front_matter_is_under_the_title_and_not_under_the_last_section() -> None:
    front = "---\ntitle: Mill rules\ndate: 2024-03-01\n---\n"
    parsed = read(f"{front}It grinds.\n\n## Closing\n\nAt six.\n", "a.md", "markdown")
    assert parsed.text == "# Mill rules\n\n| date: 2024-03-01 |\n\nIt grinds.\n\n## Closing\n\nAt six."
    # A heading of its own is the title, and the other one a row.
    parsed = read(f"{front}# The mill\n\nIt grinds.\n\n## Closing\n\nAt six.\n", "a.md", "markdown")
    rows = "| title: Mill rules |\n| date: 2024-03-01 |"
    assert parsed.text == f"# The mill\n\n{rows}\n\nIt grinds.\n\n## Closing\n\nAt six."


def test_what_steers_a_site_is_left_out_and_descriptions_are_text() -> None:
    front = (
        "title: The mill\npageTitle: The mill\nlayout: page\npermalink: /mill/\nnav_order: 3\norder: 002\nmenu:\n"
        "description: >-\n  What the mill grinds,\n  and when.\nintro: 'It grinds.'\nsidebar:\n  - one\n"
        'tags:\n  - corn\n  - "rye"\nowner: Ada\nweight: 3 kg\n'
    )
    parsed = read(f"---\n{front}---\nIt grinds. Daily.\n", "a.md", "markdown")
    rows = "| tags: corn, rye |\n| owner: Ada |\n| weight: 3 kg |"
    assert parsed.text == f"# The mill\n\nWhat the mill grinds, and when.\n\n{rows}\n\nIt grinds. Daily."


def test_text_between_two_rules_is_no_front_matter() -> None:
    text = "---\n\nThe mill grinds.\n\n## Hours\n\nAt six.\n\n---\n\nThe end.\n"
    assert [each.title for each in read(text, "a.md", "markdown").headings] == ["Hours"]


def test_a_form_has_a_line_for_each_pair_of_key_and_value() -> None:
    form = [
        ["Ship:", "Albatross", "Port:", "Kiel"],
        ["Built:", "1931", "Masts:", ""],
        ["Owner:", "Ms Rahn", "Crew:", "9"],
    ]
    assert markdown.grid(form).lines == [
        "| Ship: Albatross |",
        "| Port: Kiel |",
        "| Built: 1931 |",
        "| Masts: |",
        "| Owner: Ms Rahn |",
        "| Crew: 9 |",
    ]
    assert markdown.grid([["Ship", "Port"], ["Albatross", "Kiel"]]).lines == ["| Ship: Albatross | Port: Kiel |"]
    assert len(markdown.grid([["Ship:", "Port:"], ["Albatross", "Kiel"]]).lines) == 1


_WORDS = st.text(string.ascii_letters + " äé#|-\n\x00\ufeff", max_size=40)


@given(
    st.lists(st.one_of(_WORDS, st.lists(st.lists(_WORDS, min_size=1, max_size=4), min_size=1, max_size=4)), max_size=8)
)
def test_offsets_are_exact_whatever_is_composed(blocks: list[Any]) -> None:
    composer = Composer("made")
    for number, block in enumerate(blocks, 1):
        composer.page(number)
        if isinstance(block, str):
            start, end = composer.add(block)
            composer.figure(caption=block)
            assert 0 <= start <= end
        else:
            composer.table(block)
    parsed = composer.parsed("text", "test")
    for figure in parsed.figures:
        assert parsed.text[figure.start : figure.end] == figure.caption
    for table in parsed.tables:
        assert all(line.startswith("| ") for line in parsed.text[table.start : table.end].split("\n"))
        assert parsed.table_at(table.start) == table
        assert parsed.page_at(table.start) == table.page
    for before, after in zip(parsed.pages, parsed.pages[1:], strict=False):
        assert before.end <= after.start


def test_signs_of_currencies_stand_with_their_amounts_and_years_of_several_periods_name_columns() -> None:
    table = [
        ["", "", "2030", "2031", "2030", "2031"],
        ["Mills", "$", "(412) $", "4,307 $", "(2,607) $", "8,416"],
        ["Docks", "", "5,403", "6,976", "17,636", "17,464"],
    ]
    assert markdown.grid(table).lines == [
        "| Mills | 2030: $ (412) | 2031: $ 4,307 | 2030: $ (2,607) | 2031: $ 8,416 |",
        "| Docks | 2030: 5,403 | 2031: 6,976 | 2030: 17,636 | 2031: 17,464 |",
    ]
    # A column that is named has signs as its values.
    priced = [["Item", "Currency", "Price"], ["Rope", "$", "4"], ["Sail", "£", "9"]]
    assert markdown.grid(priced).lines[0] == "| Item: Rope | Currency: $ | Price: 4 |"
