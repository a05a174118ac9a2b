"""A model that has read a few lines, and goes on as they do; and Compose over the real stores with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.feature import Rooms
from mainspring.features.compose.model.decoder import Floats, Sizes
from mainspring.features.compose.model.layout import BODY, END, SPECIAL
from mainspring.features.compose.model.packed import Packed
from mainspring.features.compose.service import Compose
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.suggesting import MailDraft, Suggested, Suggesting
from mainspring.stores import Stores
from mainspring.stores.sql import ids

LINES = (
    "I would like to know where my order is.",
    "I would like to know where my order is.",
    "I would like to return the grinder.",
    "Thank you for your help.",
    "Please ask the chairman about it.",
    "We met with the shit people.",
    "My colleague Bartholomew will call you.",
    "The reason for this is the suicide note.",
)


def tokenizer(lines: Sequence[str] = LINES) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(list(lines), trainer)
    return made


@dataclass(frozen=True, slots=True)
class Read:
    ids: tuple[int, ...]
    next: Floats


class Lines:
    """Goes on as the lines do: the longest context that they have counts."""

    def __init__(self, made: Tokenizer, lines: Sequence[str] = LINES) -> None:
        self._size = made.get_vocab_size()
        self._lines = [[BODY, *each.ids, END] for each in made.encode_batch(list(lines))]
        self.steps = 0

    def read(self, ids: Sequence[int]) -> Read:
        return Read(tuple(ids), self._next(ids))

    def step(self, seen: Sequence[Read], tokens: Sequence[int]) -> list[Read]:
        self.steps += 1
        return [self.read([*each.ids, token]) for each, token in zip(seen, tokens, strict=True)]

    def _next(self, ids: Sequence[int]) -> Floats:
        shares = np.full(self._size, 1e-6)
        for length in range(min(12, len(ids)), 1, -1):
            tail = list(ids[-length:])
            found = Counter(
                line[at] for line in self._lines for at in range(length, len(line)) if line[at - length : at] == tail
            )
            if found:
                for token, number in found.items():
                    shares[token] += number
                break
        return np.asarray(np.log(shares / shares.sum()), np.float32)


def suggesting(lines: Sequence[str] = LINES, **settings: Any) -> Suggesting:
    made = tokenizer(lines)
    sizes = Sizes(made.get_vocab_size(), 8, 1, 1, 1, 128, 10_000.0)
    packed = Packed(cast(Any, Lines(made, lines)), made, "lines", sizes)
    return Suggesting(packed, ComposeSettings(**settings))


def caller(tenant: str = "acme", key: str = "key_a", **more: Any) -> Context:
    return Context(Principal(tenant, key, frozenset({"compose"}), **more))


@dataclass(frozen=True, slots=True)
class Shown:
    """A result under the id of its answer; empty: there is nothing to show."""

    id: str
    found: Suggested
    model: str
    personal: bool
    cached: bool


async def suggest(
    made: Compose, context: Context, asked: MailDraft, *, user: str = "", session: str = "", **more: Any
) -> Shown:
    """What the routes do beside the request ring."""
    found = await made.suggest(context.principal, asked, user=user, **more)
    said, answer = found.found.suggestions, ""
    if said:
        answer, first = ids.new("ans_"), said[0]
        made.note(
            context.principal, answer, user=user, session=session, characters=len(first.text),
            confidence=first.confidence,
        )  # fmt: skip
    return Shown(answer, found.found, found.model, found.personal, found.cached)


def compose(opened: Stores, **settings: Any) -> Compose:
    """Compose over these stores, with the lines as its model."""
    found = Settings.model_validate({"compose": settings})
    made = Compose(cast(Rooms, SimpleNamespace(settings=found, stores=opened)))
    made.__dict__["suggesting"] = suggesting(**settings)
    return made
