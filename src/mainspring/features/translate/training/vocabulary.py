"""The joint vocabulary of a translator: Unigram pieces of all languages, language marks, placeholders, sentinels.

The vocabulary lies in one file ``tokenizer.json`` of the library ``tokenizers``, which the server has anyway. ``<pad>``
is its first piece: positions are counted from its number on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import Unigram
from tokenizers.trainers import UnigramTrainer

END, UNKNOWN, PAD = "</s>", "<unk>", "<pad>"
PLACEHOLDERS, SENTINELS = 10, 8


def mark(language: str) -> str:
    """The piece before a sentence that says which language is wanted."""
    return f">>{language}<<"


def placeholder(number: int) -> str:
    return f"<p{number}>"


def sentinel(number: int) -> str:
    return f"<x{number}>"


def learn(sentences: Iterable[str], languages: Iterable[str], size: int) -> Tokenizer:
    """A vocabulary of at most ``size`` pieces and the marks. Spaces are kept in the pieces: texts come back whole."""
    tokenizer = Tokenizer(Unigram())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    marks = [placeholder(number) for number in range(PLACEHOLDERS)]
    marks += [sentinel(number) for number in range(SENTINELS)]
    marks += [mark(each) for each in sorted(set(languages))]
    trainer = UnigramTrainer(
        vocab_size=size,
        special_tokens=[PAD, END, UNKNOWN, *marks],
        unk_token=UNKNOWN,
        show_progress=False,
        max_piece_length=16,
    )
    tokenizer.train_from_iterator(sentences, trainer=trainer)
    return tokenizer


def load(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def number(tokenizer: Tokenizer, piece: str) -> int:
    """Of a piece that is there."""
    found = tokenizer.token_to_id(piece)
    if found is None:
        raise KeyError(piece)
    return found


def pieces(tokenizer: Tokenizer) -> list[str]:
    """All pieces by their number."""
    found = {place: piece for piece, place in tokenizer.get_vocab().items()}
    # A mark that sentences have was learned as a piece, too: nothing reads that one.
    return [found.get(place, f"<unused{place}>") for place in range(tokenizer.get_vocab_size())]
