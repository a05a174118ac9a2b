"""What a refusal quotes as closest."""

from __future__ import annotations

import pytest

from mainspring.rag.answer import refusal
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit


def passage(text: str) -> Passage:
    hit = Hit("c", "d", "v", "a.md", text, 0, len(text), None, "Ports", 0.9, 0.5, 1, 1, 1, "b")
    return Passage(hit, text, 0, len(text), "sentence", "Ports", 1.0, 0.5)


@pytest.mark.parametrize(
    "drawn", ["┌────┬──────┐ │ id │ name │ ├────┼──────┤ │ 1  │ app  │", "id-+-name-+-mode-+-pid-+-up"]
)
def test_a_table_drawn_with_characters_is_not_quoted(drawn: str) -> None:
    assert "The closest is in a.md" in refusal.said(["port"], [passage("The app listens.")], 0.9)
    assert refusal.said(["port"], [passage(drawn)], 0.9).endswith("I looked for: port.")


def test_what_says_only_how_something_is_asked_for_is_not_looked_for() -> None:
    near = [passage("Repairs have a warranty.")]
    assert refusal.looked_for("How long is the warranty of a pump?", (), near) == ("pump",)
    assert refusal.looked_for("How long is the warranty?", (), near) == ()
    assert refusal.looked_for("Is the 4th day free?", (), near) == ("4th day free",)
