"""Typos and abbreviations: what is read as what was meant, and what must stay as it is."""

from __future__ import annotations

import pytest

from mainspring.features.assistant.enhance.enhancer import Change, enhanced
from mainspring.features.assistant.enhance.typos import Typos, english


@pytest.fixture(scope="module")
def typos() -> Typos:
    return english()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("What is the captial of France?", "What is the capital of France?"),
        ("Waht is the capital of France?", "What is the capital of France?"),
        ("how do i recieve a parcel form abroad", "how do i receive a parcel form abroad"),
        ("pls tell me whats the goverment of Spain", "please tell me what's the government of Spain"),
        ("can u pls explain photosynthesis", "can you please explain photosynthesis"),
    ],
)
def test_read(typos: Typos, text: str, read: str) -> None:
    assert enhanced(text, typos).text == read


@pytest.mark.parametrize(
    "text",
    [
        # Names, figures and technical words.
        *("Who is Rihanna?", "who is rihanna", "What did Elie Prioleau do?", "Is 1oth a number?", "how do I use numpy"),
        *("how many msps are there", "what was the ussr", "install kubectl on ubuntu", "Tell me about Garabit"),
        # British spelling, and words with a meaning of their own.
        *("Where is the city centre?", "What is the colour of the neighbour's car?", "plan some programmes"),
        # Quotations, code, addresses, texts about words.
        *('Who said "the goverment is lost"?', "What does `recieve` do?", "Open https://example.org/goverment now"),
        *("How do you spell goverment?", "Translate this: I recieve it", "Correct my text:\nThe goverment is here"),
        *(
            "def recieve(self):\n    pass",
            "what does `pls` mean",
            "is recieve_mail() called here",
            "what is a goverment word",
        ),
        # Other languages.
        *("Was ist die Hauptstadt von Frankreich?", "¿Cuál es la capital de Francia?", "Quelle est la capitale ?"),
        *("wo ist der bahnhof", "ik wil een huis kopen"),
        # One letter is often meant.
        *("Let n be a number and r a radius", "solve for u in this equation", "", "   ", "???"),
    ],
)
def test_left_as_it_is(typos: Typos, text: str) -> None:
    found = enhanced(text, typos)
    assert (found.text, found.changes) == (text, ())


def test_what_was_changed_is_reported(typos: Typos) -> None:
    found = enhanced("pls tell me the captial", typos)
    assert found.changes == (Change("pls", "please"), Change("captial", "capital"))


def test_nothing_is_guessed_between_two_words() -> None:
    typos = Typos({"carts": 50_000, "carps": 60_000})
    assert typos.meant("carxs") == ""
    assert Typos({"capital": 50_000}).meant("captial") == "capital"
    assert Typos({"capital": 10}).meant("captial") == ""


def test_a_text_that_is_mostly_strange_is_left() -> None:
    typos = Typos({"capital": 50_000, "receive": 50_000, "what": 90_000})
    assert enhanced("captial recieve captial what", typos).changes == ()
