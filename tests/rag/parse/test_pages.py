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


def test_addresses_of_a_page_of_contacts_are_read() -> None:
    menu = "".join(f"<li><a href='/{name}'>{name}</a></li>" for name in ("about", "events", "services", "catalog"))
    person = "<p>{0}</p><p>{1}<br>630/393-1171 x118</p><p><a href='mailto:{2}'>{2}</a></p>"
    people = [("Library Director", "Ann Smith", "director"), ("Trainer", "Joe Miller", "trainer")]
    page = f"""<html><body><div><ul>{menu}</ul></div><div><h3>Contact us</h3>
    {"".join(person.format(role, name, f"{at}@example.org") for role, name, at in people)}
    <p>Write to <a href="mailto:all%2Btrustees@example.org?subject=Hello">the trustees</a> or
    <a href="mailto:?subject=Look">tell a friend</a>.</p></div></body></html>"""
    text = read(page)
    assert "director@example.org" in text
    assert "trainer@example.org" in text
    assert "Write to the trustees (all+trustees@example.org) or tell a friend." in text


def test_underlined_raised_and_lowered_text_has_no_tags() -> None:
    said = "<p><u>Adult rooms</u>: 10<sup>6</sup> books on 40 m<sup>2</sup>, H<sub>2</sub>O, Monday<sup>1</sup>.</p>"
    for page in (f"<html><body><h3>Rooms</h3>{said}</body></html>", f"<div><h3>Rooms</h3>{said}</div>"):
        assert read(page) == "### Rooms\n\nAdult rooms: 10^6 books on 40 m2, H2O, Monday^1."


def test_a_column_of_pictures_makes_no_names_of_columns() -> None:
    rows = [("President Ann Smith", "2021"), ("Treasurer Joe Miller", "2023"), ("Secretary Eve Brown", "2025")]
    cells = "".join(f"<tr><td><img></td><td><b>{who}</b><br>Term ends {when}</td></tr>" for who, when in rows)
    text = read(f"<html><body><h3>Board</h3><p>The board.</p><table>{cells}</table></body></html>")
    assert "Treasurer Joe Miller" in text
    assert ":" not in text


def test_lines_within_a_cell_do_not_run_together() -> None:
    rows = "<tr><td>Mon<br>Tue<p>Wed</p></td><td>10<b>%</b><ul><li>off</li><li>all</li></ul></td></tr>" * 2
    head = "<tr><th>Days</th><th>Price</th></tr>"
    assert "| Days: Mon Tue Wed | Price: 10% off all |" in read(f"<div><h3>Fees</h3><table>{head}{rows}</table></div>")
