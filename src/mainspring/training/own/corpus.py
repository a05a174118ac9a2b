"""The sides of a run as tokens: what trains, what is held out to choose the best step, and what is measured at last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tokenizers import Tokenizer

from mainspring.core.errors import NothingLearned
from mainspring.training.own import words
from mainspring.training.own.collate import Vocabulary
from mainspring.training.own.texts import RowEncoder, Turns, turns_of
from mainspring.training.recipe import Side, Work

_HELD_OUT = 20
"""Without a side validation, one text of so many is held out."""
_MOST_JUDGED = 400
"""TokenTexts of the sides validation and test that are read at most."""


@dataclass(slots=True)
class TokenTexts:
    """Texts as tokens. ``own`` says of each token whether to learn it, ``characters`` how long a text is."""

    ids: list[list[int]] = field(default_factory=list)
    own: list[list[bool]] = field(default_factory=list)
    characters: list[int] = field(default_factory=list)
    turns: list[Turns] = field(default_factory=list)

    def add(self, turns: Turns, encoder: RowEncoder) -> int:
        ids, own = encoder.row(turns)
        self.ids.append(ids)
        self.own.append(own)
        self.characters.append(sum(len(said) for _, said in turns))
        self.turns.append(turns)
        return len(ids)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Corpus:
    """All sides. ``cut`` says whether there was more text than is read."""

    train: TokenTexts
    held_out: TokenTexts
    test: TokenTexts
    cut: bool = False


def read(work: Work, encoder: RowEncoder, most_tokens: int) -> Corpus:
    """Raises ``NothingLearned`` if nothing trains, ``InvalidRequest`` naming a row at fault."""
    train, held_out, test = TokenTexts(), TokenTexts(), TokenTexts()
    apart = work.count("validation") > 0
    tokens, cut = 0, False
    for number, turns in enumerate(_turns(work, "train")):
        if tokens >= most_tokens:
            cut = True
            break
        side = held_out if not apart and number % _HELD_OUT == _HELD_OUT - 1 else train
        tokens += side.add(turns, encoder)
    for side, name in ((held_out, "validation"), (test, "test")):
        for turns in _turns(work, name):  # type: ignore[arg-type]
            if len(side) >= _MOST_JUDGED:
                break
            side.add(turns, encoder)
    if not train.ids:
        raise NothingLearned("there is no text to train on", remedy="Give rows with text", param="train")
    return Corpus(train, held_out, test, cut)


def _turns(work: Work, side: Side) -> Iterable[Turns]:
    for row in work.rows(side):
        turns = turns_of(row)
        if any(said.strip() for _, said in turns):
            yield turns


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """The facts of one of our tokenizers that objectives need."""
    last = max(tokenizer.get_added_tokens_decoder())
    return Vocabulary(tokenizer.get_vocab_size(), last + 1, words.sentinels_of(tokenizer))
