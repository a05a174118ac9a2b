"""Lists that answer how something is done: whole, in order, within the words that an answer may have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainspring.rag.answer.verbatim import display, whole_list
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit

STEPS = """# Pump

## Setting up the pump

Never run it dry.

1. Open the valve.
2. Fill the chamber
   with clean water.
3. Press the green button.

Then wait."""
KIT = "# Trials\n\nFor a trial day, bring:\n\n- a towel\n\n- clean shoes\n\n- a padlock\n\nSee you."


def item(document: str, text: str, heading: str = "") -> Passage:
    start = document.index(text)
    hit = Hit("c", "d", "vs", "a.md", document, 0, len(document), None, "", 1.0, 0.5, 1.0, 1, 1, "blob")
    return Passage(hit, text, start, start + len(text), "item", heading, 1.0, 0.5)


@pytest.mark.parametrize(
    ("question", "how"),
    [
        ("How do I set up the pump?", True),
        ("How to set up the pump?", True),
        ("What do I have to do to join?", True),
        ("What should I bring along to a trial?", True),
        ("What is the procedure for complaints?", True),
        ("What does a pump cost?\nAnd how can I get one?", True),
        ("How long does it take?", False),
        ("How many pumps are there?", False),
        ("What does a pump do?", False),
    ],
)
def test_questions_that_ask_how(question: str, how: bool) -> None:
    assert whole_list.asks_how(question) is how


def test_all_steps_are_shown_in_order() -> None:
    step = item(STEPS, "Press the green button.", "Pump > Setting up the pump")
    found = display.whole(step, "How do I set up the pump?", {"d": STEPS}, 60)
    assert found.text == STEPS[STEPS.index("1.") : STEPS.index("\n\nThen")]
    assert STEPS[found.start : found.end] == found.text
    # Not for another question, nor under a heading about something else.
    assert display.whole(step, "Is the button green?", {"d": STEPS}, 60) == step
    elsewhere = replace(step, heading="Cleaning")
    assert display.whole(elsewhere, "How do I join the club?", {"d": STEPS}, 60) == elsewhere


def test_a_list_of_bullets_comes_with_its_lead_in() -> None:
    thing = item(KIT, "clean shoes", "Trials")
    found = display.whole(thing, "What should I bring to a trial?", {"d": KIT}, 60)
    assert found.text == KIT[KIT.index("For") : KIT.index("\n\nSee")]


def test_a_long_list_is_shown_as_far_as_it_fits() -> None:
    step = item(STEPS, "Open the valve.", "Pump > Setting up the pump")
    assert display.whole(step, "How do I set up the pump?", {"d": STEPS}, 11).text.endswith("with clean water.")
    last = item(STEPS, "Press the green button.", "Pump > Setting up the pump")
    assert display.whole(last, "How do I set up the pump?", {"d": STEPS}, 6).text == "3. Press the green button."


STATES = """# Taxes

## Hotels

Ask the hotel first. Stays in the following states are taxed. Guests can be exempt in these states with a form.

- Arizona
- Kansas

All others exempt you.

## Fuel

These states require a receipt.

- Ohio
- Utah

## Tools

The tools below are lent.

They are old.

- a saw

We met the following day. It rained.

- a hat"""


def said(text: str) -> Passage:
    return replace(item(STATES, text), kind="sentence")


def test_a_list_is_shown_with_a_sentence_right_above_that_speaks_of_it() -> None:
    def shown(text: str, words: int = 60) -> str:
        found = display.whole(said(text), "Where are stays taxed?", {"d": STATES}, words)
        assert STATES[found.start : found.end] == found.text
        return found.text

    hotels = STATES[STATES.index("Stays") : STATES.index("\n\nAll")]
    assert shown("Stays in the following states are taxed.") == hotels
    assert shown("Guests can be exempt in these states with a form.") == hotels
    assert shown("These states require a receipt.") == STATES[STATES.index("These states r") : STATES.index("\n\n## T")]
    # Not what says nothing of the list, is not right above it, or does not fit with it.
    for text in ("Ask the hotel first.", "All others exempt you.", "The tools below are lent."):
        assert shown(text) == text
    assert shown("We met the following day.") == "We met the following day."
    assert shown("Stays in the following states are taxed.", 12) == "Stays in the following states are taxed."


def test_a_list_that_is_shown_whole_has_the_sentence_that_speaks_of_it() -> None:
    found = display.whole(item(STATES, "Utah", "Taxes > Fuel"), "Which states require a receipt?", {"d": STATES}, 60)
    assert found.text == "These states require a receipt.\n\n- Ohio\n- Utah"
