"""What people say to the memory, and what is no wish."""

from __future__ import annotations

import pytest

from mainspring.features.assistant.remembering import MemoryWish, wished
from mainspring.features.memory.extract import facts_of


@pytest.mark.parametrize(
    ("text", "wish", "about"),
    [
        ("Remember that my dog is called Rex.", "keep", "my dog is called Rex"),
        ("Please remember my bike is green", "keep", "my bike is green"),
        ("Merk dir, dass mein Hund Rex heißt", "keep", "mein Hund Rex heißt"),
        ("Forget that my dog is called Rex", "forget", "my dog is called Rex"),
        ("Oublie que j'habite à Lyon", "forget", "j'habite à Lyon"),
        ("Forget everything about me!", "forget_all", ""),
        ("Vergiss alles über mich", "forget_all", ""),
        ("What do you know about me?", "known", ""),
        ("¿Qué sabes de mí?", "known", ""),
        ("You may remember things about me.", "grant", ""),
        ("Yes, you can remember what I tell you about me", "grant", ""),
        ("Don't remember anything about me", "refuse", ""),
    ],
)
def test_wishes(text: str, wish: str, about: str) -> None:
    found = wished(text)
    assert found is not None
    assert (found.wish, found.about) == (wish, about)


@pytest.mark.parametrize(
    "text",
    [
        *("Do you remember what I said?", "I forget everything these days", "What do you know about Rome?"),
        *("remember the Alamo", "Forget it.", "Write a song called 'Remember that night'", "You may go."),
    ],
)
def test_no_wishes(text: str) -> None:
    assert wished(text) is None


@pytest.mark.parametrize("text", ["Forget that I live in Rome.", "Please don't remember that I like tea."])
def test_what_is_to_be_forgotten_is_not_learned(text: str) -> None:
    assert facts_of(text) == []


def test_a_wish_is_one_message() -> None:
    assert wished("Remember that it is Monday.\nTranslate this.") is None
    assert wished("Remember that " + "x" * 700) is None
    assert wished("Remember that it rains") == MemoryWish("keep", "it rains")
