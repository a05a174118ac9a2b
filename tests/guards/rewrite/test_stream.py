"""The stream redactor equals the redaction of the whole text for pieces of any size, and holds little back."""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Collection, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.settings import GuardsSettings
from mainspring.guards.detect import pii
from mainspring.guards.rewrite.stream import HELD_AT_MOST, StreamRedactor

DEFAULT = GuardsSettings().pii_output_kinds
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7x\nabc/+Zq==\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
VALUES = [
    *(
        "ana.lopez+news@mail.example.co.uk",
        "+44 20 7946 0958",
        "+1 (415) 555-2671",
        "(415) 555-2671",
        "415-555-2671",
    ),
    *("4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005", "5555\u00a05555\u00a05555\u00a04444"),
    *("DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "536-90-4399", "536 90 4399", "203.0.113.77"),
    *("2001:db8:85a3::8a2e:370:7334", "sk-proj-abcDEF123456ghiJKL7890mnop", "AKIAIOSFODNN7EXAMPLE"),
    *("ghp_16C7e42F292c6912E7710c838347Ae178B4a", JWT, PEM, "canary-0123456789abcdef"),
    *("4111 1111 1111 1111 12/27", "1234567890123456", "2024-03-15 at 12:34:56", "version 10.2.3", "a::b x::y::z"),
]

PIECES = st.lists(
    st.one_of(
        st.sampled_from(VALUES),
        st.sampled_from(
            [PEM[:40], PEM[-60:], PEM[20:], JWT[:30], JWT[30:], "-----BEGIN", "-----END ", "PRIVATE KEY-----"]
        ),
        st.sampled_from(["4111", "1111", "+44", "DE89", "sk-", "203.0", ".113", "@", "a.b", "canary-", "::", "(415)"]),
        st.text(alphabet="0123456789 +-.()@:/aAE_\n\u00a0", max_size=30),
        st.sampled_from([" ", "", ", ", "\n", ". ", "word ", "a" * 250, "7" * 250, "7 " * 120]),
    ),
    max_size=12,
).map("".join)


def split(text: str, cuts: list[int]) -> list[str]:
    points = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise(points)]


def stream(pieces: list[str], kinds: Iterable[str] = pii.KINDS) -> tuple[str, StreamRedactor]:
    redactor = StreamRedactor(kinds)
    return "".join([redactor.push(piece) for piece in pieces] + [redactor.flush()]), redactor


KIND_SETS = st.one_of(st.just(pii.KINDS), st.just(DEFAULT), st.sets(st.sampled_from(pii.KINDS), min_size=1))


@settings(max_examples=600, deadline=None)
@given(text=PIECES, cuts=st.lists(st.integers(0, 10_000), max_size=40), kinds=KIND_SETS)
def test_any_split_equals_the_whole(text: str, cuts: list[int], kinds: Collection[str]) -> None:
    whole, findings = pii.redact(text, kinds)
    streamed, redactor = stream(split(text, cuts), kinds)
    assert streamed == whole
    assert redactor.counts.total() == len(findings)


@settings(max_examples=200, deadline=None)
@given(text=PIECES, kinds=KIND_SETS)
def test_character_by_character_equals_the_whole(text: str, kinds: Collection[str]) -> None:
    assert stream(list(text), kinds)[0] == pii.redact(text, kinds)[0]


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="0123456789 abc+-.@", min_size=1, max_size=900), kinds=KIND_SETS)
def test_holds_back_a_bounded_number_of_characters(text: str, kinds: Collection[str]) -> None:
    redactor = StreamRedactor(kinds)
    for character in text:
        redactor.push(character)
        assert len(redactor._held) <= HELD_AT_MOST


@pytest.mark.parametrize("kinds", [pii.KINDS, DEFAULT, *((kind,) for kind in pii.KINDS)])
def test_nothing_of_a_finding_is_shown_before_it_is_whole(kinds: Collection[str]) -> None:
    for value in VALUES:
        whole, found = pii.redact(f"is {value}.", kinds)
        for begun in range(1, len(value)) if found else ():
            redactor = StreamRedactor(kinds)
            shown = redactor.push("is ") + redactor.push(value[:begun])
            assert whole.startswith(shown)
            assert shown + redactor.push(f"{value[begun:]}.") + redactor.flush() == whole


MARKS = [
    "sk-",
    "ms-",
    "rk_live_",
    "sk_test_",
    "pk_",
    "gho_",
    "github_pat_",
    *("xoxa-", "xoxb-", "xoxp-", "xoxr-", "xoxs-"),
    "glpat-",
    "hf_",
    "npm_",
    "canary-",
]


@settings(max_examples=300, deadline=None)
@given(word=st.one_of(st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=9), st.sampled_from(MARKS)))
def test_by_default_a_word_waits_only_while_it_may_be_the_beginning_of_a_credential(word: str) -> None:
    begins = any(mark.startswith(word) for mark in [*MARKS, "eyJ"])
    for before in ("", "The ", "("):
        redactor = StreamRedactor(DEFAULT)
        redactor.push(before)
        assert redactor.push(word) == ("" if begins else word)
        assert redactor.push(" ").endswith(f"{word} " if begins else " ")


@pytest.mark.parametrize(
    ("before", "shown", "held"),
    [
        ("", "The", ""),
        ("Write to ", "ana@example.org", ""),
        ("Call ", "+", ""),
        ("It has ", "", "2"),
        ("It has ", "9", ""),
        ("It has 2", " years", ""),
        ("It has ", "", "20 "),
        ("IBAN ", "", "DE"),
        ("IBAN ", "De", ""),
        ("IBAN ", "DEF", ""),
        ("", "", "A"),
        ("", "Ab", ""),
        ("risk", "", "-"),
        ("risk", "-free", ""),
        ("", "tas", ""),
        ("ta", "sk", ""),
        ("", "-- ", ""),
        ("", "--", "-----"),
    ],
)
def test_what_waits_by_default(before: str, shown: str, held: str) -> None:
    redactor = StreamRedactor(DEFAULT)
    begun = redactor.push(before)
    assert begun + redactor.push(shown + held) == before + shown
    assert redactor.flush() == held


def test_with_all_kinds_prose_is_held_back_for_its_last_word_only() -> None:
    redactor = StreamRedactor()
    assert redactor.push("The warranty lasts two ye") == "The warranty lasts two "
    assert redactor.push("ars. ") == "years. "


@settings(max_examples=200, deadline=None)
@given(words=st.lists(st.text(alphabet="abcxyzABCXYZ.%'é ", min_size=1, max_size=9), min_size=1, max_size=30))
def test_plain_words_are_held_back_only_while_they_may_become_an_address(words: list[str]) -> None:
    redactor = StreamRedactor(("email",))
    shown = "".join(redactor.push(word) for word in words)
    held = "".join(words).removeprefix(shown)
    if not held:
        return
    # Nothing may be shown sooner: for what is held there is a continuation that makes all of it an address...
    address = f"{held}a@example.org"
    if len(held) < 64:
        assert [(found.start, found.end) for found in pii.find(address)] == [(0, len(address))]
    # ... and it is the end of the last word.
    assert " " not in held


def test_streamed_conversations_are_redacted_like_whole_ones() -> None:
    draw = random.Random(7)
    for _ in range(300):
        words = draw.choices([*VALUES, "The", "card", "is:", "Call", "eyJ", "AKIA", "me", "(at)", "-", "today."], k=20)
        text = draw.choice([" ", ", ", "\n"]).join(words)
        pieces = []
        while text:
            size = draw.choice([1, 2, 3, 4, 5, 8, 13, 40])
            pieces.append(text[:size])
            text = text[size:]
        assert stream(pieces)[0] == pii.redact("".join(pieces))[0]


def test_a_long_credential_is_swallowed_as_it_comes() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0B\n" * 80 + "-----END PRIVATE KEY-----"
    redactor = StreamRedactor()
    shown = "".join(redactor.push(character) for character in f"Key: {key} and that was it.")
    assert shown.startswith("Key: [SECRET]")
    assert shown + redactor.flush() == "Key: [SECRET] and that was it."


def test_nothing_chosen_passes_everything_at_once() -> None:
    assert StreamRedactor(()).push("a@example.org") == "a@example.org"


def test_a_finding_inside_the_reach_of_another_is_found_in_both() -> None:
    text = f"{JWT}ana.lopez+news@mail.example.co.ukana.lopez+news@mail.example.co.uk and sk-a1-ms-{'b2' * 12}"
    whole = pii.redact(text)[0]
    assert whole.count("[") == 3
    assert stream([text])[0] == whole
    assert stream(list(text))[0] == whole
