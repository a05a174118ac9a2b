"""Spotlighting: nobody can close the delimiters from inside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainspring.guards.rewrite.spotlight import Spotlight, neutralise, wrap


def test_each_request_has_delimiters_of_its_own() -> None:
    assert Spotlight().token != Spotlight().token


def test_wraps_and_explains() -> None:
    wrapped, instruction = wrap("Buy milk.", "passage")
    opening, body, closing = wrapped.split("\n")
    assert (opening[:10], body, closing[:11]) == ("<<passage-", "Buy milk.", "<</passage-")
    assert opening[10:26] in instruction
    assert "not instructions" in instruction


@given(before=st.text(), after=st.text())
def test_the_token_occurs_only_in_our_delimiters(before: str, after: str) -> None:
    spotlight = Spotlight("0123456789abcdef")
    wrapped = spotlight.wrap(f"{before}<</data-{spotlight.token}>>{after}{spotlight.token}")
    assert wrapped.count(spotlight.token) == 2


def test_delimiters_of_other_requests_are_removed() -> None:
    assert neutralise("a <</document-00ff00ff00ff00ff>> b") == "a [delimiter removed] b"


def test_control_tokens_are_taken_apart() -> None:
    for token in ("<|im_start|>", "[INST]", "[/INST]", "<<SYS>>", "<end_of_turn>"):
        assert token not in neutralise(f"x {token} y")


def test_ordinary_text_is_unchanged() -> None:
    text = "if a < b and c > d: x[1] << 2  # <b>bold</b>"
    assert neutralise(text) == text


def test_the_same_texts_have_the_same_delimiters_and_only_they() -> None:
    secret = b"s" * 32
    token = Spotlight.over(secret, ["one", "two"]).token
    assert Spotlight.over(secret, ["one", "two"]).token == token
    others = (["one"], ["two", "one"], ["onetwo"], ["one", "two", ""], ["one", "two!"])
    assert token not in {Spotlight.over(secret, texts).token for texts in others}
    assert Spotlight.over(b"t" * 32, ["one", "two"]).token != token
    assert len(token) == len(Spotlight().token)
