"""Names that documents define in passing."""

from __future__ import annotations

import pytest

from mainspring.rag.text import definitions, terms


@pytest.mark.parametrize(
    "text",
    [
        "Suds, the Engineering Pub, shall operate here.",
        'There shall be an Engineering pub, to be known as "Suds".',
        "The engineering pub is called Suds.",
        "The engineering pub (“Suds”) is open.",
        '"Suds" means the pub of the engineers.',
    ],
)
def test_a_name_has_the_words_of_what_it_names(text: str) -> None:
    names = definitions.named(terms.content("When is the pub open?"), [text])
    assert names == {"Suds": {"pub"}}
    assert definitions.meant("Suds opens at 6 pm.", names) == {"pub"}
    assert definitions.meant("The bar opens at 6 pm.", names) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "On Friday, the pub closes, and nobody stays.",
        "Consequently, the pub closes, and nobody stays.",
        "Pubs are open, the bar is not.",
        "Suds, the engineering pub of all the people, closes.",
        "the pub (see Rules 2) is",
    ],
)
def test_what_defines_no_name_gives_none(text: str) -> None:
    assert definitions.named(terms.content("the pub"), [text]) == {}
