"""Roles: what may be shown as an answer, and what says nothing by itself."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.verbatim.roles import Role, key, repeats, role_of
from mainspring.rag.text.sentences import split


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("The warranty lasts three years.", "statement"),
        ("Delivery takes 3 days", "statement"),
        ("Call 020 7946 0018.", "statement"),
        ("He asked: “Why?” and left.", "statement"),
        ("See the manual, which says that the valve opens at nine bar when the boiler is hot.", "statement"),
        ("保修期为两年", "statement"),
        ("How long does the warranty last?", "question"),
        ("**How long does it last?**", "question"),
        ("“Why is that?”", "question"),
        ("保修期是多久？", "question"),
        ("The fees are:", "lead_in"),
        ("Sizes are in the library, so that you can use names like", "lead_in"),
        ("More information about how the shop makes clustering easy", "stub"),
        ("[More information about clustering](https://a.example/cluster)", "stub"),
        ("For more information call 020 7946 0018.", "statement"),
        ("A further example of options can be seen in [options.md](https://a.example/options.md)", "stub"),
        ("class Style(Properties): defaults = {", "stub"),
        ("Proceed as follows.", "lead_in"),
        ("If prints do not stick, there are a few things that can be done;", "lead_in"),
        ("There are several ways to pay, such as cash.", "statement"),
        ("The guardian must be –", "lead_in"),
        ("Where tools are found ---", "lead_in"),
        ("It is granted to a member who -", "lead_in"),
        ("For *close supervision* the guardian is—", "lead_in"),
        ("The exceptions are listed in the table below.", "lead_in"),
        ("Fees of 30 euros apply as listed below.", "statement"),
        ("Page 12 of 80", "footer"),
        ("12 / 80", "footer"),
        ("– 7 –", "footer"),
        ("Acme Annual Report | 17", "footer"),
        ("© 2024 Acme Inc. All rights reserved.", "footer"),
        ("Copyright 1999 by the authors", "footer"),
        ("Confidential", "footer"),
        ("Table of Contents", "footer"),
        ("https://example.org/help", "footer"),
        ("Skip to main content", "footer"),
        ("Risk Factors . . . . . . . . . . 14", "stub"),
        ("16.5.6 Inclement weather.....................................", "stub"),
        ("21 days after due date..........Second overdue notice", "statement"),
        ("Adults from 18 years ............. $12.50", "statement"),
        ("Name ....................... Date .................", "stub"),
        ("Opening hours ..................... Page 7", "stub"),
        ("I, ......................., declare that I agree", "stub"),
        ("5.3.1 Emergency comfort kits", "heading"),
        ("5.3.1 Dogs must be on leads", "statement"),
        ("5.3 Kits hold a blanket, a torch and water", "statement"),
        ("See chapter 3 below.", "stub"),
        ("(see Table 4)", "stub"),
        ("(continued)", "stub"),
        ("Read more about returns", "stub"),
        ("None.", "stub"),
        ("This page intentionally left blank", "stub"),
        ("Very well.", "stub"),
        ("12", "stub"),
        ("**16.6**", "stub"),
        ("2019 2018 2017", "stub"),
        ("2019 was better than 2018.", "statement"),
        ("16.6 million", "statement"),
    ],
)  # fmt: skip
def test_the_role_of_a_sentence(text: str, role: Role) -> None:
    assert role_of(text, "sentence") == role


@pytest.mark.parametrize(
    ("text", "kind", "role"),
    [
        ("Espresso machines", "item", "statement"),
        ("Returns within 30 days. Why so long? We like you.", "item", "statement"),
        ("What is covered?", "item", "question"),
        ("Covered:", "item", "lead_in"),
        ("How do I descale it?", "heading", "heading"),
        ("Zone: 3 | Express: 23.95", "row", "statement"),
        ("Total 4,512", "row", "statement"),
        ("Current assets:", "row", "stub"),
        (".....9: 5.3.1 Emergency comfort kits.....................13 |", "row", "stub"),
        ("Current assets", "row", "stub"),
        ("how?", "code", "statement"),
    ],
)
def test_the_role_of_other_kinds(text: str, kind: str, role: Role) -> None:
    assert role_of(text, kind) == role


@pytest.mark.parametrize(
    "title",
    ["Management’s Discussion and Analysis", "ITEM 7. LIQUIDITY AND CAPITAL RESOURCES", "Note 4 Leases and Rent"],
)
def test_a_title_that_nothing_marks_is_a_heading_where_it_stands_alone(title: str) -> None:
    first, second = split(f"{title}\n\nThe company leases its shops.")
    assert (first.role, second.role) == ("heading", "statement")
    assert split(f"{title}\nand more of it in the same paragraph.")[0].role == "statement"


@pytest.mark.parametrize("line", ["Price: 30 euros", "Acme Inc. sells 12 Grinders", "the small print", "Ask for Anna."])
def test_a_short_line_that_says_something_is_no_heading(line: str) -> None:
    assert role_of(line, "sentence", alone=True) == "statement"


def test_the_question_again_is_known_without_its_mark() -> None:
    question = "How long does the Kestrel last?"
    assert repeats("3. How long does the Kestrel last", question)
    assert repeats("Q: How long does the Kestrel last?", question)
    assert not repeats("The Kestrel lasts ten years.", question)
    assert not repeats("", "")


def test_duplicates_share_a_key() -> None:
    assert key("The fee is **£30**.") == key("the fee is £30")
    assert key("The fee is £30.") != key("The fee is £31.")


def test_what_may_be_shown_of_a_page() -> None:
    text = (
        "# Returns\n\nHow long do I have?\n\nYou have 30 days. The conditions are:\n\n- unused\n- in its box\n\n"
        "See below.\n\nPage 3 of 9"
    )
    assert [text[one.start : one.end] for one in split(text) if one.showable] == [
        "You have 30 days.",
        "unused",
        "in its box",
    ]


@pytest.mark.parametrize("piece", [". . . . ", "see ", "copyright ", "a | ", "(c) ", ": ", "1.1", "page 1 "])
def test_a_huge_sentence_is_judged_by_its_end(piece: str) -> None:
    assert role_of(piece * 200_000 + "x", "sentence") == "statement"


@pytest.mark.parametrize(
    ("row", "role"),
    [
        ("Three Months Ended June 30, 2021 | Six Months Ended June 30, 2021", "heading"),
        ("June 30, June 29,: June 30, June 29,", "heading"),
        ("Three Months Ended: July 30, July 31, | Six Months Ended: July 30, July 31,", "heading"),
        ("Year: 2031 | Month: March", "statement"),
        ("Cost of sales | 410 | 395", "statement"),
        ("Month: May | Year: 2020", "statement"),
        ("Opening day: May 3", "statement"),
    ],
)
def test_a_row_that_only_names_periods_is_a_header(row: str, role: str) -> None:
    assert role_of(row, "row") == role
