"""Names of columns in several rows, titles over tables, sections and notes of sheets, tables over two pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pytest

from mainspring.rag.parse import formats
from mainspring.rag.parse.markup import html, markdown, rst, table_header
from mainspring.rag.parse.pdf import tables
from mainspring.rag.parse.pdf.continued import Continued
from mainspring.rag.parse.pdf.layout import Block


def sheet(rows: Sequence[Sequence[Any]], *merged: str, title: str = "Sales") -> list[str]:
    """The lines of a sheet with these rows, after its heading."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(list(row))
    for each in merged:
        book.active.merge_cells(each)
    buffer = io.BytesIO()
    book.save(buffer)
    return [line for line in formats.read(buffer.getvalue(), "a.xlsx", "xlsx").text.splitlines()[1:] if line]


def test_years_merged_over_columns_are_part_of_their_names() -> None:
    rows: list[list[Any]] = [
        ["Results by branch"],
        ["in thousand euros"],
        [],
        ["Branch", 2023, None, 2024, None],
        [None, "Revenue", "Staff", "Revenue", "Staff"],
        ["Harbour", 812, 11, 873, 12],
        ["Station", 1204, 16, 1310, 18],
    ]
    assert sheet(rows, "A1:E1", "B4:C4", "D4:E4", "A4:A5") == [
        "Results by branch",
        "in thousand euros",
        "| Sales | Branch: Harbour | 2023 Revenue: 812 | 2023 Staff: 11 | 2024 Revenue: 873 | 2024 Staff: 12 |",
        "| Sales | Branch: Station | 2023 Revenue: 1204 | 2023 Staff: 16 | 2024 Revenue: 1310 | 2024 Staff: 18 |",
    ]


def test_names_over_others_that_nobody_merged_are_part_of_them() -> None:
    rows: list[list[Any]] = [
        [None, "Q1", None, "Q2", None],
        ["Zone", "Price", "Days", "Price", "Days"],
        ["North", 5, 2, 6, 3],
    ]
    assert sheet(rows) == ["| Sales | Zone: North | Q1 Price: 5 | Q1 Days: 2 | Q2 Price: 6 | Q2 Days: 3 |"]


def test_names_in_three_rows() -> None:
    rows: list[list[Any]] = [
        ["Site", "Power", None, None, None],
        [None, 2023, None, 2024, None],
        [None, "MWh", "EUR", "MWh", "EUR"],
        ["Shops", 186, 44700, 190, 45600],
    ]
    names = "Power 2023 MWh: 186 | Power 2023 EUR: 44700 | Power 2024 MWh: 190 | Power 2024 EUR: 45600"
    assert sheet(rows, "A1:A3", "B1:E1", "B2:C2", "D2:E2") == [f"| Sales | Site: Shops | {names} |"]


def test_units_below_names_are_part_of_them() -> None:
    rows: list[list[Any]] = [["Model", "Power", "Weight"], [None, "kW", "[kg]"], ["Alba", 3.2, 61]]
    assert sheet(rows) == ["| Sales | Model: Alba | Power (kW): 3.2 | Weight (kg): 61 |"]


def test_lines_around_a_table_are_no_rows_of_it() -> None:
    rows: list[list[Any]] = [
        ["Suppliers"],
        ["Last update", "14 February"],
        ["Supplier", "Goods", "Phone"],
        ["Mill", "Flour", "+49 431"],
        ["Yeast & Co", "Yeast", "+44 20"],
        ["Note: all prices without tax"],
    ]
    assert sheet(rows) == [
        "Suppliers",
        "| Sales | Last update: 14 February |",
        "| Sales | Supplier: Mill | Goods: Flour | Phone: +49 431 |",
        "| Sales | Supplier: Yeast & Co | Goods: Yeast | Phone: +44 20 |",
        "Note: all prices without tax",
    ]


def test_a_line_across_a_table_opens_the_rows_below_it() -> None:
    rows: list[list[Any]] = [["Item", "Price", "Days"], ["North"], ["Tea", 3, 1], ["South"], ["Tea", 4, 2]]
    assert sheet(rows, "A2:C2", "A4:C4") == [
        "North",
        "| Sales | North | Item: Tea | Price: 3 | Days: 1 |",
        "South",
        "| Sales | South | Item: Tea | Price: 4 | Days: 2 |",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        # Figures that repeat are no merged names, and a row of years is a row.
        [["Region", "Open", "Sold"], ["North", "5", "5"], ["South", "4", "3"]],
        [["Firm", "Founded", "Sold"], ["Acme", "1998", "2004"], ["Zeta", "2001", "2009"]],
        [["Item", "Unit", "Size"], ["Screw", "kg", "M4"], ["Nut", "g", "M5"]],
    ],
)
def test_one_row_of_names_stays_one(rows: list[list[str]]) -> None:
    assert table_header.named(rows) == (rows[0], 1)


def test_a_text_names_no_column() -> None:
    grid = markdown.grid([["dx", "The displacement of the label."], ["dy", "The same, upwards."]])
    assert grid.lines == ["| dx | The displacement of the label. |", "| dy | The same, upwards. |"]


def test_a_title_across_a_table_opens_its_rows() -> None:
    grid = markdown.grid([["Radio buttons", "Radio buttons"], ["Name", "Default"], ["size", "20"]])
    assert grid.lines == ["| Radio buttons | Name: size | Default: 20 |"]


def test_a_table_that_goes_on_upon_the_next_page_has_the_names_of_its_columns() -> None:
    box, follow = (50.0, 100.0, 500.0, 700.0), Continued()
    first = Block(cells=[["Name", "Days"], ["Tea", "3"]], box=box)
    second = Block(cells=[["Milk", "2"]], box=(51.0, 600.0, 499.0, 700.0))
    assert follow.page([first]) == [first]
    assert follow.page([second])[0].cells == [["Name", "Days"], ["Milk", "2"]]
    # The table went on over a third page.
    assert follow.page([second])[0].cells == [["Name", "Days"], ["Milk", "2"]]
    assert follow.page([Block(text="Other text"), second])[1] == second
    elsewhere = Block(cells=[["Milk", "2"]], box=(200.0, 600.0, 499.0, 700.0))
    follow.page([first])
    assert follow.page([elsewhere]) == [elsewhere]


def test_a_page_is_read_whole_where_one_chapter_was_taken_for_its_text() -> None:
    menu = "<nav><ul>" + "<li><a href='/x'>Elsewhere</a></li>" * 40 + "</ul></nav>"
    chapters = "".join(
        f"<div class='section'><h2>Part {n}</h2><dl><dt>KEY{n} seconds</dt><dd>"
        + f"It waits for so many seconds, and then part {n} does what it has to do. " * 6
        + "</dd></dl></div>"
        for n in range(8)
    )
    article = "<article><h1>Copying</h1><p>" + "Everybody may copy this page as it is, and give it away. " * 8
    page = f"<html><head><title>Manual</title></head><body>{menu}{article}</p></article>{chapters}</body></html>"
    text = html.read_html(page.encode(), "manual.html", "html").text
    assert [f"- KEY{n} seconds: It waits" in text for n in range(8)] == [True] * 8
    assert "Elsewhere" not in text


def test_lines_of_a_program_are_no_table() -> None:
    code = [["from reportlab.lib.units", "import", "inch"], ["c.setFont(", '"Courier",', "60)"], ["c", "= 3", ""]]
    assert tables._is_code(code)
    assert not tables._is_code([["Name", "Call", "Days"], ["Tea", "run(x)", "3"], ["Milk", "-", "4"]])


def test_a_word_that_points_to_a_target_has_no_mark() -> None:
    text = rst.to_markdown("Use mp3gain_ (MP3), other_ or a_b_.\n\n.. _mp3gain: https://a.example\n")
    assert text == "Use mp3gain (MP3), other_ or a_b_.\n"


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        (
            [["Nov. 12", "Wheaton Library"], ["Nov. 16", "City Hall"], ["Nov. 18", "Church"]],
            "| Nov. 12 | Wheaton Library |",
        ),
        (
            [["Monday", "9 am - 5 pm"], ["Friday", "9 am - 7 pm"], ["Saturday", "1 pm - 5 pm"]],
            "| Monday | 9 am - 5 pm |",
        ),
        ([["Room 1", "Ann"], ["Room 2", "Joe"]], "| Room 1 | Ann |"),
        (
            [["Day", "Week 1", "Week 2"], ["Mon", "soup", "stew"], ["Tue", "fish", "rice"]],
            "| Day: Mon | Week 1: soup | Week 2: stew |",
        ),
        (
            [["Name", "Q1 2024"], ["Sales", "Q2 2024"], ["Costs", "none"], ["Staff", "12"]],
            "| Name: Sales | Q1 2024: Q2 2024 |",
        ),
        (
            [["", "2023", "2024"], ["Sales", "1500", "1600"], ["Costs", "1200", "1300"]],
            "| Sales | 2023: 1500 | 2024: 1600 |",
        ),
    ],
)
def test_a_row_that_looks_like_those_below_it_names_no_columns(rows: list[list[str]], first: str) -> None:
    assert markdown.grid(rows).lines[0] == first
