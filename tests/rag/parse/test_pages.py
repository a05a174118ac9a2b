"""Parts of pages, pages that tables lay out, and tables whose columns something else names."""

from __future__ import annotations

import pytest

from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.markup import html, markdown


def read(page: str) -> str:
    return html.read_html(page.encode(), "page.html", "html").text


SAYS = "<h3>At home</h3><p>The library delivers books at home to anyone.</p>"


@pytest.mark.parametrize(
    "page",
    [
        SAYS,
        f"<div>{SAYS}</div>",
        f"<div><div>{SAYS}</div></div>",
        f"<div id='page'><div><div><div>{SAYS}</div></div></div></div>\n",
        f"<section><article>{SAYS}</article></section>",
        f"<!-- begins --><div><div>{SAYS}</div></div>",
        f"<html><body><div><div>{SAYS}</div></div></body></html>",
    ],
)
def test_a_part_of_a_page_is_read(page: str) -> None:
    assert read(page) == "### At home\n\nThe library delivers books at home to anyone."


def test_a_part_of_a_page_that_is_not_utf_8_is_read() -> None:
    page = "<div><div><p>The café opens at nine.</p></div></div>".encode("latin-1")
    assert html.read_html(page, "page.html", "html").text == "The café opens at nine."


def test_nothing_of_a_part_of_a_page_is_lost_but_what_is_not_seen() -> None:
    page = """<style>p { color: red } old, .older { display:none }
    @media print { h2 { display: none } }</style><div><h1>Fees</h1>
    <div><h2>Sailing</h2><p>Sailors <a href="/vote">vote</a>.</p><p style="display: none">Old</p>
    <p hidden>Older</p><old>1</old><p class="a older">2</p></div>
    <div><h2>Social</h2><p>Others <b>may not</b>.</p><img src="a.png" alt="A boat"></div></div>"""
    assert read(page) == "# Fees\n\n## Sailing\n\nSailors vote.\n\n## Social\n\nOthers may not."


def test_a_table_that_lays_out_a_page_is_no_line_of_it() -> None:
    page = """<div><table><tr><td>
      <h4>Periods</h4>
      <table><tr><th>Thing</th><th>Days</th></tr><tr><td>Films</td><td>14</td></tr><tr><td>Maps</td><td>7</td></tr></table>
      <h4>Renewals</h4><p>Twice, in person.</p>
    </td><td><h4>Cards</h4><p>A lost card costs a pound.</p></td></tr></table></div>"""
    periods = "#### Periods\n\n| Thing: Films | Days: 14 |\n| Thing: Maps | Days: 7 |"
    assert read(page) == f"{periods}\n\n#### Renewals\n\nTwice, in person.\n\n#### Cards\n\nA lost card costs a pound."


@pytest.mark.parametrize("page", ["{}", "<!doctype html><html><body><main><h1>Questions</h1>{}</main></body></html>"])
@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ("<h3 class='accordion'><button aria-expanded='false'>", "</button></h3>"),
        ("<h3><span>", "</span></h3>"),
    ],
)
def test_a_heading_that_is_a_button_stays_above_what_it_opens(page: str, opens: str, closes: str) -> None:
    folded = (("Who pays for a return?", "We pay for parcels."), ("May I swap it?", "Yes, in any shop."))
    text = read(page.format("".join(f"{opens}{ask}{closes}<div><p>{said}</p></div>" for ask, said in folded)))
    told = "### Who pays for a return?\n\nWe pay for parcels.\n\n### May I swap it?\n\nYes, in any shop."
    assert text.removeprefix("# Questions\n\n") == told


def test_lines_at_which_a_page_was_wrapped_flow() -> None:
    page = "<div><p>Sailors\n          are expected\n   to help.</p><pre>one\n  two</pre></div>"
    assert read(page) == "Sailors are expected to help.\n\n```\none\n  two\n```"


def test_a_row_that_counts_on_is_no_header() -> None:
    rows = [["1. The name", "Item A"], ["2. The purpose", "Item B"]]
    assert markdown.grid(rows).lines == ["| 1. The name | Item A |", "| 2. The purpose | Item B |"]
    letters = [["(a) elections", "Part 5"], ["(b) terms", "Part 6"]]
    assert markdown.grid(letters).lines[0] == "| (a) elections | Part 5 |"
    assert markdown.grid([["1. Quarter", "Sales"], ["North", "5 units"]]).header


def composed(*tables: list[list[str]], years: str = "2019 2018") -> str:
    composer = Composer("accounts")
    composer.add(years)
    composer.add("### Income")
    for table in tables:
        composer.table(table)
    return composer.parsed("text", "text").text


def test_years_over_a_table_name_its_columns() -> None:
    tickets = [["Tickets", "-", "226,811"], ["Bar", "12", "(133)"]]
    assert composed(tickets).endswith("| Tickets | 2019: - | 2018: 226,811 |\n| Bar | 2019: 12 | 2018: (133) |")
    # Not where there are more figures than years, or where a row names the columns.
    assert composed(tickets, years="2019 2018 2017").endswith("| Tickets | - | 226,811 |\n| Bar | 12 | (133) |")
    assert composed([["Kind", "Old", "New"], ["Bar", "1", "2"]]).endswith("| Kind: Bar | Old: 1 | New: 2 |")
