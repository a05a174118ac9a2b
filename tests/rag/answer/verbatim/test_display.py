"""How chosen passages are shown: values in bold, whole units, lists, tables and code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainspring.rag.answer.verbatim import display
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from mainspring.rag.text.sentences import Kind


def passage(document: str, text: str, kind: Kind = "sentence", before: str = "") -> Passage:
    start = document.index(text)
    hit = Hit("c", "d", "vs", "a.md", document, 0, len(document), None, "", 1.0, 0.5, 1.0, 1, 1, "blob")
    return Passage(hit, text, start, start + len(text), kind, "", 1.0, 0.5, before)


@pytest.mark.parametrize(
    ("sentence", "question", "expected"),
    [
        ("You have 25 days in 2 blocks.", "How many days do I have?", "You have **25 days** in 2 blocks."),
        ("It costs £3.50 within 3 days.", "How much does it cost?", "It costs **£3.50** within 3 days."),
        ("Claims are due within 35 days.", "How long do I have for a claim?", "Claims are due within **35 days**."),
        ("The shop opened in 1998.", "When did the shop open?", "The shop opened in **1998**."),
        ("The shop opened in 1998.", "Who opened the shop?", "The shop opened in 1998."),
        ("Set `limit 5 days` first.", "How many days is the limit?", "Set `limit 5 days` first."),
        ("Ask within **5 days**.", "How many days do I have?", "Ask within **5 days**."),
        ("Call 701-461-2232 at any time.", "What number do I call?", "Call 701-461-2232 at any time."),
        ("Call (701) 461-2232 at any time.", "What number do I call?", "Call (701) 461-2232 at any time."),
        ("We pay on the 1st of each month.", "When do we get paid?", "We pay on the **1st of each month**."),
        ("It opens at 6 pm. It closes late.", "When does it open?", "It opens at **6 pm**. It closes late."),
        ("The 2nd form is due.", "How many forms are due?", "The 2nd form is due."),
        (
            "The fee is $32 in a term for full time students, $30 in a term for part time students, $1 later.",
            "How much is the fee for a part time student?",
            "The fee is $32 in a term for full time students, **$30** in a term for part time students, $1 later.",
        ),
    ],
)
def test_the_value_that_answers_is_bold(sentence: str, question: str, expected: str) -> None:
    assert display.bold(sentence, question) == expected


@pytest.mark.parametrize(
    ("sentence", "question", "phrase", "expected"),
    [
        # Of several values, the one that is meant; all of it.
        ("Up to 12 items; children up to 8.", "How many may I take?", "12", "Up to **12** items; children up to 8."),
        (
            "Gains are $9 million in 2020 and $5 million in 2021.",
            "How much are the gains in 2020 and 2021 respectively?",
            "$9 million",
            "Gains are **$9 million** in 2020 and **$5 million** in 2021.",
        ),
        # The one that is meant, of more than two; none of a phrase that has several.
        (
            "Limits are £9 for breakfast, £13 for lunch and £29 for dinner.",
            "How much may dinner cost when I travel?",
            "£29",
            "Limits are £9 for breakfast, £13 for lunch and **£29** for dinner.",
        ),
        (
            "Limits are £9 for breakfast, £13 for lunch and £29 for dinner.",
            "How much may breakfast cost?",
            "£9 for breakfast, £13 for lunch and £29",
            "Limits are **£9** for breakfast, £13 for lunch and £29 for dinner.",
        ),
        ("You get 90 calendar days.", "How many days do I get?", "90", "You get **90 calendar days**."),
        ("Receptors (200–300) bind.", "How many receptors bind?", "200–300", "Receptors (**200–300**) bind."),
        # Where the reader is sure, its phrase, and not the value of another thing.
        (
            "The choir meets on Wednesday, 7:30 pm.",
            "When is it?",
            "Wednesday",
            "The choir meets on **Wednesday**, 7:30 pm.",
        ),
        ("Our historian is Martha Quill.", "Who is it?", "Martha Quill", "Our historian is **Martha Quill**."),
        # All of a number.
        ("It was 438.1p a share, or 1,200.", "Which was it?", "438.1p", "It was **438.1p** a share, or 1,200."),
        ("It was 438.1p a share.", "Which was it?", "438", "It was **438.1p** a share."),
        ("The rate is 438.1 now.", "Which is it?", "438", "The rate is **438.1** now."),
        ("They had 1,200 of them.", "Who had it?", "200", "They had **1,200** of them."),
        ("It is £5.50 or 5% less.", "Which is it?", "5.50", "It is **£5.50** or 5% less."),
        ("It is 5% less, not 15.5.", "Which is it?", "5", "It is **5%** less, not 15.5."),
        ("Model A.12 is red.", "Which is red?", "12", "Model A.12 is red."),
        # A part of a word, of code or of an address is no phrase.
        ("In 2012 there were 12 of them.", "Who was there?", "12", "In 2012 there were **12** of them."),
        ("Set `mode fast` first.", "Which mode?", "fast", "Set `mode fast` first."),
        ("See https://a.example/fast now.", "Which mode?", "fast", "See https://a.example/fast now."),
        ("Nothing of the kind.", "Who is it?", "Martha Quill", "Nothing of the kind."),
    ],
)
def test_what_a_reader_takes_for_the_answer_is_bold(sentence: str, question: str, phrase: str, expected: str) -> None:
    assert display.bold(sentence, question, phrase, sure=True) == expected


def test_a_reader_that_is_not_sure_only_tells_which_value_is_meant() -> None:
    assert (
        display.bold("Our historian is Martha Quill.", "Who is it?", "Martha Quill") == "Our historian is Martha Quill."
    )
    told = display.bold("The choir meets on Wednesday, 7:30 pm.", "When is it?", "Wednesday")
    assert told == "The choir meets on Wednesday, **7:30 pm**."
    assert display.bold("Up to 12 items; children up to 8.", "How many may I take?", "8").endswith("up to **8**.")


def test_a_sentence_that_leans_is_shown_with_the_one_before() -> None:
    text = "The press keeps coffee hot for two hours. It must not be used on a stove."
    found = display.whole(passage(text, text[42:], before=text[:41]), "May I put it on a stove?", {"d": text}, 60)
    assert (found.text, found.start) == (text, 0)
    assert display.whole(passage(text, text[42:], before=text[:41]), "May I?", {"d": text}, 10).text == text[42:]


LIST = "# Kit\n\nNot paid for are:\n\n- coffee machines\n- plants\n- sofas\n\nAsk first."


def test_a_list_is_shown_whole_where_several_things_are_asked_for() -> None:
    item = passage(LIST, "plants", "item")
    found = display.whole(item, "Which items are not paid for?", {"d": LIST}, 60)
    assert found.text == "Not paid for are:\n\n- coffee machines\n- plants\n- sofas"
    assert display.whole(item, "Are plants paid for?", {"d": LIST}, 60) == item


def test_rows_without_a_named_column_are_one_table() -> None:
    rows = [
        "Zone: North | Days: 2 | Price: 5 | Carrier: A | Track: yes",
        "Zone: South | Days: 3 | Price: 9 | Carrier: B | Track: no",
    ]
    text = "\n".join(f"| {row} |" for row in rows)
    (piece,) = display.pieces([passage(text, row, "row") for row in rows], "What about the zones?")
    assert piece.text.splitlines()[0] == "| Zone | Days | Price | Carrier | Track |  |"
    assert piece.text.count("[") == 2
    assert len(piece.passages) == 2


def test_code_stays_code() -> None:
    text = "```\nborg compact\n```"
    (piece,) = display.pieces([passage(text, "borg compact", "code")], "What do I run?")
    assert piece.text == "```\nborg compact\n```\n[1]"


def test_a_list_below_a_heading_that_asks_is_shown_as_a_whole() -> None:
    text = "# What do I need?\n\n- a towel\n- clean shoes\n- a padlock\n"
    item = replace(passage(text, "clean shoes", "item"), heading="FAQ > What do I need?")
    assert display.whole(item, "What should I bring?", {item.hit.document_id: text}, 60).text.endswith("a padlock")
    plain = replace(item, heading="FAQ > Things")
    assert display.whole(plain, "What should I bring?", {item.hit.document_id: text}, 60) == plain


DATES = "- 7 May 2031\n  - The second crane is painted\n- 6 August 2031\n  - The registry closes for good\n"


def test_an_item_is_shown_with_the_date_that_it_stands_under() -> None:
    item = passage(DATES, "The registry closes for good", "item", before="6 August 2031")
    found = display.whole(item, "When does the registry close?", {"d": DATES}, 60)
    assert found.text == "6 August 2031\n  - The registry closes for good"
    assert DATES[found.start : found.end] == found.text
    # What stands beside it in the list is no label, and neither is what leads in to the list.
    flat = "- 6 August 2031\n- The registry closes for good"
    beside = passage(flat, "The registry closes for good", "item", before="6 August 2031")
    assert display.whole(beside, "When does the registry close?", {"d": flat}, 60) == beside


def test_lines_below_one_that_leads_in_are_shown_where_several_things_are_asked_for() -> None:
    text = "Not paid for are:\nFood: coffee machines.\nDecor: plants, rugs.\nFurniture: sofas.\n\nAsk first."
    first = passage(text, "Not paid for are:\nFood: coffee machines.")
    assert display.whole(first, "Which things are not paid for?", {"d": text}, 60).text.endswith("sofas.")
    assert display.whole(first, "Is a coffee machine paid for?", {"d": text}, 60) == first


def test_the_better_one_is_whole_before_a_worse_one_is_shown() -> None:
    text = "The press keeps coffee hot for two hours. It must not be used on a stove. Wash it by hand in warm water."
    first, second, third = text[:41], text[42:73], text[74:]
    chosen = [passage(text, second, before=first), passage(text, third, before=second)]
    question = "May I put it on a stove?"
    assert [each.text for each in display.grown(chosen, question, {"d": text}, 60)] == [f"{first} {second}", third]
    assert [each.text for each in display.grown(chosen, question, {"d": text}, 18)] == [f"{first} {second}"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("After five failures in a row within the window,\nthe replica rests.", None),
        ("After five failures in a row within the window,\n  the replica rests.", None),
        ("These replicas rest after five failures in a row:\n- the first\n- the second", "same"),
        ("These replicas rest after five failures in a row:\n1. the first\n2. the second", "same"),
        ("A line that ends in two spaces is meant to end there  \nand this is the next", "same"),
        ("Mill Lane 4\nLeeds", "same"),
        ("Food: coffee machines and all that is cooked with.\nDecor: plants, rugs.", "same"),
    ],
)
def test_wrapped_lines_flow(text: str, shown: str | None) -> None:
    assert display.unwrapped(text) == (
        text if shown else "After five failures in a row within the window, the replica rests."
    )


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("What does a pass cost?", "See the **list** of fees [by day] before you pay. [1]"),
        ("Where do I find the fees?", "See the [**list** of fees](/fees#day) [by day] before you pay. [1]"),
    ],
)
def test_targets_of_links_and_marks_of_quotes_are_not_shown(question: str, shown: str) -> None:
    text = "> See the [**list** of fees](/fees#day) [by day]\n> before you pay."
    (piece,) = display.pieces([passage(text, text)], question)
    assert " ".join(piece.text.split()) == shown


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("**16.6** Dogs are allowed.", "sentence", "16.6 Dogs are allowed. [1]"),
        ("5.2.2 The office lasts 3 years.", "sentence", "5.2.2 The office lasts 3 years. [1]"),
        ("The member shall be\nresponsible.", "sentence", "The member shall be responsible. [1]"),
        ("1. Open it.\n\n2. Close it.", "item", "1. Open it.\n2. Close it. [1]"),
        ("**Dogs** are allowed.", "sentence", "**Dogs** are allowed. [1]"),
        ("Bodger](https://example.org/a?b=c). Buy it there.", "sentence", "Bodger. Buy it there. [1]"),
        ("Any unpaid item | |", "sentence", "Any unpaid item [1]"),
        ("Ticket sales | - | 226,811", "row", "Ticket sales: -; 226,811 [1]"),
        ("one | | two | three", "row", "one; two; three [1]"),
    ],
)
def test_nothing_of_the_form_of_its_source_is_shown(text: str, kind: Kind, shown: str) -> None:
    (piece,) = display.pieces([passage(text, text, kind)], "May I?")
    assert piece.text == shown


def test_what_ends_within_its_line_says_so() -> None:
    text = "Requests are placed by phone, over the computer or in person. Then wait."
    (piece,) = display.pieces([passage(text, "Requests are placed by phone")], "May I?")
    assert piece.text == "Requests are placed by phone … [1]"
    (piece,) = display.pieces([passage(text, text[:61])], "May I?")
    assert piece.text == f"{text[:61]} [1]"


def test_a_sentence_that_its_chunk_cuts_is_shown_whole() -> None:
    text = "# Cards\n\nOpen at nine. A lost card costs a pound, and nobody waits for it. Ask at the desk."
    start, end = text.index("costs"), text.index("nobody")
    part = Passage(
        Hit("c", "d", "vs", "a.md", text[start:end], start, end, None, "", 1.0, 0.5, 1.0, 1, 1, "blob"),
        *(text[start:end].rstrip(), start, start + len(text[start:end].rstrip()), "sentence", "", 1.0, 0.5),
    )
    found = display.whole(part, "What does a card cost?", {"d": text}, 60)
    assert found.text == "A lost card costs a pound, and nobody waits for it."
    assert text[found.start : found.end] == found.text


def test_the_number_of_a_clause_is_no_value() -> None:
    question = "How many years does the office last?"
    assert display.bold("5.2.2 The office lasts 3 years.", question) == "5.2.2 The office lasts **3 years**."
    assert display.bold("5.2 of them for 1 year", "How many are there for a year?").startswith("5.2 ")


def test_lines_that_differ_in_a_number_alone_are_distinguished_by_their_headings() -> None:
    text = "Family £94\n\nFamily £224\n\nSingle £68"
    social, sailing, single = (passage(text, each) for each in text.split("\n\n"))
    social, single = replace(social, heading="Fees > Social"), replace(single, heading="Fees > Social")
    sailing = replace(sailing, heading="Fees > Sailing")
    shown = [piece.text for piece in display.pieces([sailing, social, single], "What does a family pay?")]
    assert shown == ["Sailing: Family **£224** [1]", "Social: Family **£94** [2]", "Single **£68** [3]"]
    assert next(display.pieces([sailing, single], "What does a family pay?")).text == "Family **£224** [1]"
    assert next(display.pieces([sailing], "What does a family pay?")).block


TERMS = (
    "1. Refunds are paid within 30 days:\n    - (a) of a notice,\n    - (b) of a dismissal.\n1. Fees are not refunded."
)


def test_a_line_that_leads_in_is_shown_with_its_list() -> None:
    found = display.whole(passage(TERMS, "Refunds are paid within 30 days:", "item"), "How long?", {"d": TERMS}, 60)
    assert found.text == TERMS[3 : TERMS.index("\n1. Fees")]
    lead = passage(LIST, "Not paid for are:")
    assert display.whole(lead, "How much is not paid for?", {"d": LIST}, 60).text == LIST[7 : LIST.index("\n\nAsk")]
    assert display.whole(lead, "How much is not paid for?", {"d": LIST}, 5) == lead
