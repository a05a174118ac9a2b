"""Columns that a question asks for by other words, what a row is for, and how much of it is bold."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.verbatim import display, rows
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import terms

OVEN = "Ovens | Model: Brio 6 | Power (kW): 9.5 | Weight (kg): 188 | Max temperature (°C): 320 | Price (EUR): 7890"
SHIFT = "Shifts | Site: Shops | Shift: Early | Hours From: 06:00 | Hours To: 13:30 | Allowance Sunday: 25%"
PART = "Part no.: BR-300 | Description: Fan motor | Fits: Brio 6, Brio 10 | Price (EUR): 264 | Lead time (days): 14"
GAS = "Site: Shops | Gas 2023 MWh: 22 | Gas 2023 EUR: 1900 | Gas 2024 MWh: 20 | Gas 2024 EUR: 1640"


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        (OVEN, "How heavy is the Brio 6?", "Ovens, Brio 6: Weight (kg) **188** [1]"),
        (OVEN, "How much does the Brio 6 cost?", "Ovens, Brio 6: Price (EUR) **7890** [1]"),
        (SHIFT, "When does the early shift in the shops begin?", "Shifts, Shops: Early; Hours From **06:00** [1]"),
        (SHIFT, "When does the early shift in the shops end?", "Shifts, Shops: Early; Hours To **13:30** [1]"),
        (SHIFT, "Which Sunday allowance has the early shift?", "Shifts, Shops: Early; Allowance Sunday **25%** [1]"),
        (PART, "What does the fan motor cost?", "BR-300: Fan motor; Price (EUR) **264** [1]"),
        (GAS, "What did gas cost the shops in 2023?", "Shops: Gas 2023 EUR **1900** [1]"),
        ("Firm: Yeast & Co | Goods: Yeast | Order: 5 kg", "Which order for yeast?", "Yeast & Co: Order **5 kg** [1]"),
        ("Goods: Flour | Contact: Ines Brandt | Phone: 12", "Who sells flour?", "Flour: Contact **Ines Brandt** [1]"),
    ],
)  # fmt: skip
def test_a_row_answers_with_the_column_that_is_meant(text: str, question: str, expected: str) -> None:
    hit = Hit("c", "d", "v", "a.md", text, 0, len(text), None, "", 1.0, 0.5, 1.0, 1, 1, "blob")
    passage = Passage(hit, text, 0, len(text), "row", "", 1.0, 0.5)
    assert [each.text for each in display.pieces([passage], question)] == [expected]


def test_a_row_with_a_code_for_its_key_is_found_by_its_name() -> None:
    asked = terms.content("What does a baker earn in year 3?")
    found = [rows.parsed(f"Grade: {grade} | Job: {job} | Year 3: 20") for grade, job in ((3, "Clerk"), (5, "Baker"))]
    # The 3 of "year 3" is the column's, and no grade.
    assert [rows.matched(row, asked) for row in found if row] == [0.0, 0.7]
    assert rows.keyed("Part: BR-300 | Name: Fan motor | Price: 264") == "BR-300 Fan motor"
    # A text is no name.
    assert rows.keyed("Level: SEV1 | Meaning: Sales stopped for most of the people | Days: 3") == "SEV1"
    assert rows.keyed("Zone: North | Name: Fan motor | Price: 264") == "North"


@pytest.mark.parametrize(
    ("sentence", "question", "expected"),
    [
        ("Batteries last 3-5 years.", "How long do batteries last?", "Batteries last **3-5 years**."),
        ("Refunds take 3 to 5 days.", "How long does a refund take?", "Refunds take **3 to 5 days**."),
        ("Do so one or two times a year.", "How many times a year?", "Do so **one or two** times a year."),
        ("Section 2 to 5 days.", "How long does it take?", "Section **2 to 5 days**."),
        ("It is Monday and 5 days later.", "How long does it take?", "It is Monday and **5 days** later."),
        ("those who work in one\n- Week 4: mill", "How long is it?", "those who work in one\n- Week 4: mill"),
    ],
)  # fmt: skip
def test_a_range_is_bold_as_a_whole(sentence: str, question: str, expected: str) -> None:
    assert display.bold(sentence, question) == expected
