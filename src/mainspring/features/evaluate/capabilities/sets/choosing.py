"""Multiple choice: how it is put, and which option a reply chooses."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mainspring.core.types import Message
from mainspring.features.evaluate.capabilities import extract
from mainspring.features.evaluate.capabilities.benchmark import LETTERS, Item, Marks, Reply, Way

WAYS: tuple[Way, ...] = ("prompt-logprobs", "token-logprobs", "grammar", "text")
EXTRACTION = "the letter behind the last `answer is`, at the beginning, or alone; else the only option that is named"


def listed(options: Sequence[str]) -> str:
    """The options, one a line, each behind its letter."""
    return "\n".join(f"{LETTERS[number]}. {option}" for number, option in enumerate(options))


def put(question: str, options: Sequence[str]) -> tuple[Message, ...]:
    """The question for a chat, to be answered by a letter."""
    asked = f"{question}\n\n{listed(options)}\n\nAnswer with the letter of the right option alone."
    return (Message("user", asked),)


def raw(question: str, options: Sequence[str]) -> str:
    """The question as text that a letter continues."""
    return f"{question}\n{listed(options)}\nAnswer:"


def letters(options: Sequence[str]) -> tuple[str, ...]:
    """What continues ``raw`` for each option."""
    return tuple(f" {LETTERS[number]}" for number in range(len(options)))


def chosen(item: Item, reply: Reply, *, by_length: bool = False) -> int | None:
    """The number of the chosen option; None if none is. ``by_length``: likelihoods count per byte of continuation."""
    if reply.likelihoods:
        sizes = [len(each.encode()) if by_length else 1 for each in item.continuations] or [1] * len(reply.likelihoods)
        values = [value / max(1, size) for value, size in zip(reply.likelihoods, sizes, strict=True)]
        return values.index(max(values))
    read = _bound(reply.text) or extract.letter(reply.text, item.options, LETTERS)
    place = LETTERS.find(read) if read and len(read) == 1 else -1
    return place if 0 <= place < len(item.options) else None


def accuracy(item: Item, reply: Reply) -> Marks:
    """``accuracy``; where continuations differ in length also ``accuracy_norm``, by likelihood per byte."""
    place = chosen(item, reply)
    scores = {"accuracy": float(place in item.right)}
    if reply.likelihoods and len({len(each) for each in item.continuations}) > 1:
        scores["accuracy_norm"] = float(chosen(item, reply, by_length=True) in item.right)
    return Marks(scores, None if place is None else LETTERS[place])


def _bound(text: str) -> str:
    """The letter of a text that a grammar bound: a JSON object with ``answer``."""
    try:
        return str(json.loads(text)["answer"])
    except (ValueError, TypeError, KeyError):
        return ""
