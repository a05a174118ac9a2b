"""Query understanding by rules: spelling, acronyms, parts, follow-ups, how many passages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mainspring.rag.ingest.vocabulary import Vocabulary
from mainspring.rag.query import acronyms, complexity, condense, decompose, wishes
from mainspring.rag.search import spelling

COMMON = {"a", "please", "weigh", "explain", "much"}
TEXT = (
    "The Annual Percentage Rate (APR) is fixed. VAT (value added tax) applies. The Society for Worldwide Interbank "
    "Financial Telecommunication (SWIFT) settles electronic funds transfers (EFT). A computer (IBM) and HTML (see "
    "below) are not explained."
)


def vocabulary(**counts: int) -> Vocabulary:
    return Vocabulary(counts, {})


def count_tokens(texts: Sequence[str]) -> list[int]:
    """Like a model's: a word that it knows is one token."""
    return [1 if text in COMMON else 2 for text in texts]


def corrected(query: str, **counts: int) -> str:
    return spelling.correct(query, vocabulary(**counts), count_tokens)[0]


def test_misspelt_words_become_those_of_the_documents() -> None:
    words = {"warranty": 9, "grinder": 5, "percentage": 3, "annual": 2}
    assert corrected("Waranty for the gridner?", **words) == "Warranty for the grinder?"
    assert corrected("anual precentage", **words) == "annual percentage"


def test_of_equally_near_words_the_frequent_one_is_meant() -> None:
    assert corrected("burts", burst=2, burrs=7) == "burrs"


@pytest.mark.parametrize(
    "query",
    [
        "please explain how much it weighs",  # known to the documents or to everybody
        "grinders",  # a form of a known word
        "APRX",  # capitals are names
        "grindr2000",  # digits
        "grr",  # too short
        "xylophone",  # nothing near
        "uncontrolled",  # two edits at its beginning
        "",
    ],
)
def test_what_may_be_meant_stays(query: str) -> None:
    assert corrected(query, grinder=5, weight=4, weigh=1, april=2, grid=2, green=3, controlled=9) == query


def test_words_run_together_come_apart() -> None:
    assert corrected("creditcard fees", credit=4, card=5, fees=2) == "credit card fees"


def test_corrections_say_where() -> None:
    query = "the gridner and the waranty"
    text, found = spelling.correct(query, vocabulary(grinder=2, warranty=2), count_tokens)
    assert (
        [query[each.start : each.end] for each in found] == [each.written for each in found] == ["gridner", "waranty"]
    )
    assert text == "the grinder and the warranty"


def test_acronyms_are_learned_from_their_explanation() -> None:
    assert set(acronyms.explained(TEXT)) == {
        ("APR", "Annual Percentage Rate"),
        ("SWIFT", "Society for Worldwide Interbank Financial Telecommunication"),
        ("EFT", "electronic funds transfers"),
        ("VAT", "value added tax"),
    }


def test_queries_are_expanded_in_both_directions() -> None:
    expansions = {short: (long,) for short, long in acronyms.explained(TEXT)}
    known = acronyms.meanings(expansions)
    assert acronyms.expand("What is the APR?", expansions, known) == [("APR", "Annual Percentage Rate")]
    assert [meant for _, meant in acronyms.expand("an electronic funds transfer", expansions, known)] == ["EFT"]
    assert acronyms.expand("What is the annual percentage rate (APR)?", expansions, known) == []
    assert acronyms.expand("a swift answer", expansions, known) == []


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "What is the warranty and how long does shipping take?",
            ["What is the warranty", "how long does shipping take?"],
        ),
        ("What is the difference between the Kestrel and the Heron?", ["the Kestrel", "the Heron"]),
        ("Compare burr grinders with blade grinders.", ["burr grinders", "blade grinders"]),
        ("burr vs blade grinders", ["burr", "blade grinders"]),
        ("Who wrote it? When was the manual printed?", ["Who wrote it?", "When was the manual printed?"]),
        ("Where is the shop? When does it open?", ["Where is the shop?", "Where is the shop? When does it open?"]),
        ("How long is the warranty on burrs and motors?", []),
        ("My brother died; what papers do you need?", []),
        (
            "My phone is lost; can I sign in? And who pays for a new one?",
            ["My phone is lost; can I sign in?", "My phone is lost; can I sign in? And who pays for a new one?"],
        ),
        ("When does it open; how much is it?", ["When does it open;", "When does it open; how much is it?"]),
        ("What is it?", []),
    ],
)
def test_parts_of_a_question(question: str, parts: list[str]) -> None:
    found = decompose.by_rules(question)
    if question.startswith("Who wrote it"):
        assert found[0] == parts[0]
        assert len(found) == 2
    else:
        assert found == parts


@pytest.mark.parametrize(
    ("question", "leans"),
    [
        ("And in winter?", True),
        ("What about decaf?", True),
        ("How long does it take?", True),
        ("Why?", True),
        ("Does that apply to motors?", True),
        ("How long is the warranty on motors?", False),
        ("When the grinder jams, how is it cleaned?", False),
        ("Does the warranty cover damage that the customer caused?", False),
        ("How long does this take?", True),
        ("Same question for Ireland", True),
        ("What is the second option?", True),
        ("What is the last step of the returns process?", False),
        ("Are there any exceptions?", True),
        ("Are you sure the lamp fits a 12 V battery?", False),
        ("Can you explain that in simple terms?", True),
        ("Explain the warranty in simple terms", False),
    ],
)
def test_which_questions_lean_on_the_one_before(question: str, leans: bool) -> None:
    assert condense.leans(question) == leans


@pytest.mark.parametrize(
    ("message", "alone"),
    [
        ("Can you explain that in simple terms?", True),
        ("Say it in two sentences", True),
        ("In Spanish, please.", True),
        ("Translate that into German.", True),
        ("OK, tell me more about that.", True),
        ("Go on.", True),
        ("Shorter please", True),
        ("Which document says this?", True),
        ("Show me the exact wording", True),
        ("Explain the warranty in simple terms", False),
        ("Tell me more about the warranty", False),
        ("In 100 words, please", True),
        ("In winter?", False),
        ("And in 2024?", False),
        ("Write to the office", False),
        ("Give me more days of holiday", False),
        ("Where is the shop?", False),
        ("In writing?", False),
    ],
)
def test_what_wishes_another_form_of_the_answer_has_nothing_to_search_for(message: str, alone: bool) -> None:
    first = "How long is the warranty on motors?"
    condensed = condense.by_rules(message, [first])
    assert wishes.of_form(message) is alone
    assert (wishes.searched(condensed) == first) is (alone or condensed == first)
    assert wishes.searched(message) == message


def test_how_often_more_is_asked_for() -> None:
    assert wishes.more("How long is it?") == wishes.more("Tell me more") == wishes.more("How long?\nMore simply") == 0
    assert wishes.more("How long is it?\nTell me more\nmore details, please") == 2


def test_a_follow_up_is_read_with_what_it_leans_on() -> None:
    first, second = "When does the Leeds shop open in summer?", "And in winter?"
    assert condense.by_rules("and on Sundays?", [first, second]) == f"{first}\n{second}\nand on Sundays?"
    assert condense.by_rules(second, [first]) == f"{first}\n{second}"
    assert condense.by_rules("How long is the warranty on motors?", [first]) == "How long is the warranty on motors?"
    assert condense.by_rules(second, []) == second


TAX = "Is my federal card exempt from state sales tax in New York?"


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        (TAX, "And in Illinois?", "Is my federal card exempt from state sales tax in Illinois?"),
        (TAX, "What about Illinois?", "Is my federal card exempt from state sales tax in Illinois?"),
        (TAX, "In Texas, too?", "Is my federal card exempt from state sales tax in Texas?"),
        (TAX, "And for Texas?", "Is my federal card exempt from state sales tax in Texas?"),
        (TAX, "Is it the same in the US Virgin Islands?", TAX.replace("New York", "the US Virgin Islands")),
        ("Which tax is due in the UK for a card?", "And in Ireland?", "Which tax is due in Ireland for a card?"),
        ("How much may a room in London cost?", "What about Leeds?", "How much may a room in Leeds cost?"),
        ("How do I get from Leeds to York?", "And to Hull?", "How do I get from Leeds to Hull?"),
        ("How long does the X100 run on battery?", "And for the X200?", "How long does the X200 run on battery?"),
        ("How heavy is the Kestrel grinder?", "And the Heron?", "How heavy is the Heron grinder?"),
        ("How quickly must a SEV1 be closed?", "And a SEV2?", "How quickly must a SEV2 be closed?"),
        ("How many claims were paid in 2023?", "And in 2024?", "How many claims were paid in 2024?"),
        ("What did the 2023 report say of claims?", "What about 2024?", "What did the 2024 report say of claims?"),
        ("Is the shop in Leeds open in May?", "And in August?", "Is the shop in Leeds open in August?"),
        ("Is the shop in Leeds open in May?", "And in York?", "Is the shop in York open in May?"),
        ("Does version 2.1 need a licence key?", "And in version 3?", "Does version 3 need a licence key?"),
        ("What does a parcel of 5 kg cost?", "And of 10 kg?", "What does a parcel of 10 kg cost?"),
        ("Must I report gifts over $50?", "And over $1,000?", "Must I report gifts over $1,000?"),
    ],
)
def test_what_a_follow_up_names_is_put_in_the_place_of_its_like(first: str, second: str, whole: str) -> None:
    assert condense.by_rules(second, [first]) == whole


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (TAX, "And in winter?"),
        (TAX, "And in 2024?"),
        (TAX, "And on Sundays?"),
        (TAX, "And at Heathrow?"),
        (TAX, "And for the X200?"),
        (TAX, "What about students?"),
        (TAX, "And in Texas or Ohio?"),
        (TAX, "And in Texas if I pay for a hotel?"),
        ("Is my card exempt in New York and Texas?", "And in Ohio?"),
        ("Is my card exempt in Springfield, Illinois?", "And in Texas?"),
        ("Is Visa taken by shops in London?", "What about Mastercard?"),
        ("Can I pay with a Visa card?", "What about Illinois?"),
        ("How long is the burr set of the Kestrel guaranteed?", "And in Ireland?"),
        ("How long is the burr set of the Kestrel guaranteed?", "What about Ireland?"),
        ("How do I get from Leeds to York?", "And Hull?"),
        ("How many remote days may the design team have?", "And Customer Care?"),
        ("Are the manuals printed in English?", "And in Texas?"),
        ("Can I return it within 30 days of the sale?", "And after 60 days?"),
        ("What can I claim for driving my own car?", "And for a motorcycle?"),
        ("Is the room I booked in the annex heated?", "And room B?"),
    ],
)
def test_where_the_place_is_not_clear_both_questions_are_read(first: str, second: str) -> None:
    assert condense.by_rules(second, [first]) == f"{first}\n{second}"


def test_later_follow_ups_go_on_from_what_was_put_in_place() -> None:
    texas = TAX.replace("New York", "Texas")
    assert condense.by_rules("And in Texas?", [TAX, "And in Illinois?"]) == texas
    assert condense.by_rules("And in Texas?", [TAX, "And in Illinois?", "In simple terms, please"]) == texas
    assert condense.by_rules("And for hotels?", [TAX, "And in Texas?"]) == f"{texas}\nAnd for hotels?"
    assert condense.by_rules("In simple terms?", [TAX, "And in Texas?"]) == f"{texas}\nIn simple terms?"
    unclear = [TAX, "And for hotels?"]
    assert condense.by_rules("And in Texas?", unclear) == "\n".join([*unclear, "And in Texas?"])


def test_how_many_passages_a_question_deserves() -> None:
    fact, _ = complexity.passages("How many years is the warranty?", 10)
    plain, _ = complexity.passages("Tell me about cleaning a grinder", 10)
    many, _ = complexity.passages("List all conditions of the warranty", 10)
    parts, why = complexity.passages("What is the warranty and how long does shipping take?", 10)
    assert fact < plain < parts <= many
    assert why == "2 parts"
    assert complexity.passages("How many years is the warranty?", 2)[0] == 2


def test_a_question_without_end_is_not_taken_apart() -> None:
    """The patterns are quadratic: a long run of them would hold up everybody."""
    question = "Compare steel and bronze. " + "And what is that? " * 20
    assert decompose.by_rules(question)
    assert decompose.by_rules(question * 3) == []


def test_of_many_strange_words_the_first_are_looked_at() -> None:
    query = " ".join(["warrenty"] * 40)
    text, corrections = spelling.correct(
        query, Vocabulary({"warranty": 3}, {}), lambda texts: [1] + [9] * (len(texts) - 1)
    )
    assert len(corrections) == 16
    assert text == " ".join(["warranty"] * 16 + ["warrenty"] * 24)


def test_how_the_answer_is_to_be_given_is_no_question_of_its_own() -> None:
    assert decompose.clauses("Which tools are not lent out? Name the kinds.") == []
    assert len(decompose.clauses("Which tools are lent out? Explain the rules of return.")) == 2
