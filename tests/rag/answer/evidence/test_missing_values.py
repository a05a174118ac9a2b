"""Values that a question asks for and that no passage gives for the thing in question."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.evidence.missing_values import ungiven
from mainspring.rag.search.hit import Hit
from tests.rag.conftest import WordEmbedder

MILL = (
    "The mill pays £40 a month towards a bicycle. Everybody has thirty days of leave. The press is a large machine. "
    "The miller is paid a salary by the month. Questions go to the office of the mill."
)
LEEDS = "The branch in Leeds sells bread. A loaf costs £3 in the branch of York."


def hit(text: str, number: int = 0, source: str = "mill.txt") -> Hit:
    return Hit(f"c{number}", f"d{number}", "vs", source, text, 0, len(text), None, "", 0.9, 0.5, 1, 1, 1, f"b{number}")


async def found(question: str, *texts: str) -> list[str]:
    hits = [hit(text, number) for number, text in enumerate(texts or (MILL,))]
    return [each.text for each in await ungiven(question, hits, hits, WordEmbedder())]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("How much does the mill pay for a gymnasium membership?", ["mill", "gymnasium membership"]),
        ("What is the salary of the miller in pounds?", ["salary", "miller"]),
        ("How heavy is the press?", ["press"]),
        ("What is the boiling point of the press?", ["boiling", "press"]),
        ("At what time does the office of the mill close?", ["office", "mill close"]),
        ("When is the office of the mill open?", ["office", "mill open"]),
        ("What is the phone number of the office?", ["phone number"]),
        ("What is the e-mail address of the office?", ["e-mail address"]),
    ],
)
async def test_a_value_that_nothing_gives_for_the_thing_is_reported(question: str, told: list[str]) -> None:
    assert await found(question) == told


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How much does the mill pay for a bicycle?", MILL),
        ("How many days of leave does the mill give?", MILL),
        ("How heavy is the press?", "The press weighs 12 kg."),
        ("How heavy is the press?", "| Part | Weight |\n|---|---|\n| press, weight | 12 |"),
        ("What is the salary of the miller in pounds?", "The salary of the miller is £900 a month."),
        ("When is the office of the mill open?", "The office of the mill is open from 9 to 5 on Mondays."),
        ("What is the phone number of the office?", "The office answers at +44 20 7946 0018."),
        ("What is the e-mail address of the office?", "Write to the office: office@mill.example"),
        ("What does joining the library cost?", "Joining the library is free."),
        ("What does joining the library cost?", "Joining the library costs thirty pounds."),
        ("What does joining the library cost?", "Joining the library costs ₹400 or 40 kr."),
        ("How heavy is the press?", "The press weighs twelve kilograms."),
        ("What is the boiling point of syrup?", "The boiling point of syrup is 104 °C."),
        ("How hot is the oven?", "The oven is heated to two hundred degrees."),
        ("What is the temperature of the oven?", "The oven reaches up to 300⁰C."),
        ("At what time does the office of the mill close?", "The office of the mill closes late: 9 to 5."),
        ("How deep is the well of the mill?", "The well of the mill is half a mile deep."),
        # The asker's own affairs, a task and a computed quantity are worded in other ways than documents.
        ("How much do you give me for my gymnasium?", MILL),
        ("Explain in simple words how much the mill pays for a gymnasium", MILL),
        ("How much is the percentage increase of gymnasium fees?", MILL),
    ],
)
async def test_a_value_that_is_given_is_not(question: str, text: str) -> None:
    assert await found(question, text) == []


@pytest.mark.parametrize("text", ["A council member is free to ask.", "Each council member: feel free to sit."])
async def test_what_is_free_to_be_done_has_no_price(text: str) -> None:
    assert await found("What is the salary of a council member?", text) == ["salary", "council member"]


async def test_people_by_another_name_are_counted_too() -> None:
    assert await found("How many folks may sit on the board?", "At most 2 people may sit on the board.") == []


async def test_a_name_that_few_passages_have_must_stand_with_the_value() -> None:
    others = [f"A loaf costs £{number} in York." for number in range(2, 9)]
    assert await found("What does a loaf cost in Leeds?", "The branch in Leeds sells bread.", *others) == ["loaf"]
    assert await found("What does a loaf cost in Leeds?", "A loaf costs £3 in Leeds.", *others) == []
    # The company itself is named in most of them.
    assert await found("What does a loaf cost in York?", "The branch in Leeds sells bread.", *others) == []


async def test_what_is_counted_must_stand_with_the_number() -> None:
    text = "The hall of the mill has 12 windows for its guests."
    assert await found("How many windows does the hall of the mill have?", text) == []
    assert await found("How many chandeliers does the hall of the mill have?", text) == ["chandeliers", "hall", "mill"]


async def test_a_value_in_the_heading_is_given_for_the_items_below() -> None:
    text = "## $50.00 fine\n\n- Fire lane of the mill\n- Bus stop of the mill"
    assert await found("What is the fine for the fire lane of the mill?", text) == []
    without = text.replace("$50.00", "Parking")
    assert await found("What is the fine for the fire lane of the mill?", without) == ["fine", "fire lane", "mill"]


async def test_what_is_in_the_sentence_costs_no_embedding() -> None:
    embedder = WordEmbedder()
    hits = [hit(MILL)]
    assert await ungiven("How many days of leave are there?", hits, hits, embedder) == ()
    assert embedder.embedded == 0
    assert await ungiven("How many days of sabbatical are there?", hits, hits, embedder)
    assert embedder.embedded > 0
