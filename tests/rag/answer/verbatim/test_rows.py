"""Rows of tables: the key, the columns that a question names, ranges, and how they are shown."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.verbatim import rows
from mainspring.rag.text import terms

BOUGHT = "How long can I return an unused grinder bought online in the UK?"
RETURNS = (
    "What was bought: Grinders, unused | Online, UK: 45 days | Online, EU and Ireland: 30 days | In a shop: 40 days"
)
EXPRESS = "Express | Weight band: Up to {} kg | Zone 1: 11.45 | Zone 2: 16.35 | Zone 3: 23.95"
PAPER = "Denver Post | Daily Circulation, 2004: 340,168 | Daily Circulation, 2013: 416,676"


def shown(text: str, question: str) -> str:
    row = rows.parsed(text)
    assert row is not None
    return rows.short(row, rows.columns(row, question))


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        (RETURNS, BOUGHT, "Grinders, unused: Online, UK **45 days**"),
        (RETURNS, "And in a shop?", "Grinders, unused: In a shop **40 days**"),
        (EXPRESS.format(5), "What is the price of a 4 kg box to zone 3?", "Express, Up to 5 kg: Zone 3 **23.95**"),
        ("Property: Widest pan | Value: 180 mm", "How wide may a pan be?", "Widest pan: **180 mm**"),
        (PAPER, "What was the circulation in 2013?", "Denver Post: Daily Circulation, 2013 **416,676**"),
        ("Group: Workshop | Days: 28", "How many days has the workshop?", "Workshop: Days **28**"),
    ],
)  # fmt: skip
def test_a_row_answers_with_the_columns_that_are_named(text: str, question: str, expected: str) -> None:
    assert shown(text, question) == expected


def test_a_question_that_names_no_column_gets_none() -> None:
    row = rows.parsed(RETURNS)
    assert row is not None
    assert rows.columns(row, "What about grinders?") == ()


def test_ranges() -> None:
    question = "What is the price of a 4 kg box?"
    small, right = (rows.parsed(EXPRESS.format(weight)) for weight in (2, 5))
    assert small is not None
    assert right is not None
    assert (rows.within(small, question), rows.within(right, question)) == (-1.0, 1.0)
    assert rows.within(right, "What is the price of a box?") == 0.0
    tier = rows.parsed("Tier: Gold | Annual purchases: £20,000 to £59,999 | Discount: 39%")
    assert tier is not None
    assert rows.within(tier, "We spend 30,000 pounds a year") == 1.0
    assert rows.within(tier, "We spend ten thousand pounds a year") == -1.0


def test_a_number_as_the_key_is_that_number_alone() -> None:
    question = "If an identifier fails ten times a day, how long is it paused?"
    paused = ((1, "never"), (10, "128 days"))
    rows_of = [rows.parsed(f"Failures per Day: {number} | Time to Pause: {pause}") for number, pause in paused]
    assert [rows.within(row, question) for row in rows_of if row is not None] == [-1.0, 1.0]


def test_keys() -> None:
    row = rows.parsed(PAPER)
    assert row is not None
    assert rows.matched(row, terms.content("the Denver Post in 2013")) == 1.0
    assert rows.matched(row, terms.content("the Guardian in 2013")) == 0.0


@pytest.mark.parametrize("text", ["no cells at all", "a | b | c", "Name: Alone"])
def test_what_is_no_row_with_names(text: str) -> None:
    assert rows.parsed(text) is None


def test_a_table() -> None:
    found = [rows.parsed(f"Group: {name} | Days: {days} | From: May") for name, days in (("Office", 25), ("Shop", 28))]
    assert rows.table([row for row in found if row is not None], [1, 2]).splitlines() == [
        "| Group | Days | From |  |",
        "| --- | --- | --- | --- |",
        "| Office | 25 | May | [1] |",
        "| Shop | 28 | May | [2] |",
    ]


def test_a_line_of_a_form_is_a_pair() -> None:
    assert rows.pair("Rated load: 40 kg") == rows.Cell("Rated load", "40 kg")
    assert rows.pair("Rated load: 40 kg | Height: 2 m") is None
    assert rows.pair("Rated load") is None


HOTELS = [
    "Tier: A | Where: London, Oslo and New York | Limit: £172",
    "Tier: B | Where: Other capital cities in Europe | Limit: £138",
    "Tier: C | Where: Anywhere else in the United Kingdom | Limit: £104",
]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What may a hotel in Oslo cost?", {0: True, 1: False, 2: False}),
        ("What may a hotel in Leeds cost?", {0: False, 1: True, 2: True}),
        ("What may a hotel cost?", {}),
    ],
)
def test_the_rows_for_what_is_named(question: str, expected: dict[int, bool]) -> None:
    assert rows.cases(HOTELS, question) == expected


def test_without_a_row_for_all_others_a_name_tells_no_row() -> None:
    assert rows.cases(HOTELS[:1] * 2, "What may a hotel in Leeds cost?") == {}
    assert not rows.has_others(HOTELS[0])
    assert rows.has_others(HOTELS[1])
    assert rows.has_others("| Rest of the world | £9 |")
    assert not rows.has_others("| Other costs | £9 |")


def test_a_row_says_what_it_is_for() -> None:
    row = rows.parsed(HOTELS[2])
    assert row is not None
    limit = (row.cells[1],)
    assert rows.told(row, limit, "What may a hotel in Leeds cost?") == (row.cells[0], row.cells[1])
    assert rows.told(row, limit, "What may a hotel cost?") == limit


def test_rows_of_one_key_are_distinguished() -> None:
    found = [
        rows.parsed(f"Product: Kestrel grinder | Part: {part} | Period: {years} years")
        for part, years in (("Body", 12), ("Burrs", 7))
    ]
    body, burrs = (each for each in found if each is not None)
    period = body.cells[1]
    assert (
        rows.short(body, rows.apart(body, [period], [body, burrs]))
        == "Kestrel grinder: Part **Body**; Period **12 years**"
    )
    # A row that stands alone says what was asked, and a cell that is shown already tells them apart.
    assert rows.apart(body, [period], [body]) == (period,)
    assert rows.apart(body, body.cells, [body, burrs]) == body.cells


LOANS = "2 weeks: Films | 4 weeks: Maps"
RISKS = "Medium risk: lab, yard | Minors, under 13: Active supervision | Minors, under 18: General supervision"
BINS = "Red bin: Paper | Green bin: Glass | Blue bin: Food"


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        (LOANS, "How long can I keep films?", "Films: **2 weeks**"),
        (LOANS, "How long can I keep maps?", "Maps: **4 weeks**"),
        (LOANS, "How long can I keep puzzles?", "2 weeks: Films; 4 weeks: Maps"),
        ("Included: Breakfast | Not included: Parking", "Is breakfast included?",
         "Included: Breakfast; Not included: **Parking**"),
        ("Name: Ada Byron | Room: 12 | Team: Marine biology", "Which room is marine biology in?",
         "Ada Byron: Team **Marine biology**; Room **12**"),
    ],
)  # fmt: skip
def test_a_value_is_never_told_of_what_it_is_not_for(text: str, question: str, expected: str) -> None:
    row = rows.parsed(text)
    assert row is not None
    cells = rows.told(row, rows.columns(row, question), question)
    assert rows.short(row, cells or row.cells) == expected


def test_a_cell_without_a_name_is_the_key_where_the_others_are_similar() -> None:
    row = rows.parsed(RISKS.replace("Medium risk: ", ""))
    assert row is not None
    assert row.key == rows.Cell("", "lab, yard")
    assert rows.full(row) == "lab, yard: Minors, under 13: Active supervision; Minors, under 18: General supervision"
    note = rows.parsed("Read me | Topic: Weight | Note: Weight of the packed parcel in kilograms")
    assert note is not None
    assert (note.caption, note.key.value) == (("Read me",), "Weight")
    # In front of a column of keys it is a caption.
    express = rows.parsed(EXPRESS.format(2))
    assert express is not None
    assert (express.caption, express.key.value) == (("Express",), "Up to 2 kg")


def test_a_row_without_named_columns_is_reported_with_all_names() -> None:
    row = rows.parsed(BINS)
    assert row is not None
    assert rows.columns(row, "Where does glass go?") == ()
    assert rows.full(row) == "Red bin: Paper; Green bin: Glass; Blue bin: Food"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Ticket sales | - | 226,811 | (133)", "Ticket sales"),
        ("Year: 2018 | Sales: 5", "2018"),
        (LOANS, "Films Maps"),
        ("one | two", ""),
        ("alone", ""),
    ],
)
def test_the_key_of_a_row_of_any_form(text: str, key: str) -> None:
    assert rows.keyed(text) == key
