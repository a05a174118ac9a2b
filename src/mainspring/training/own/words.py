"""Tokenizers over the package ``tokenizers``: byte-level BPE, WordPiece and Unigram, and characters and words to
compare them with; and what one may say about a tokenizer. Needs no torch.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from mainspring.core.errors import InvalidRequest, ModelError, NothingLearned

Algorithm = Literal["bpe", "wordpiece", "unigram", "character", "word"]
PAD, BEGIN, END, UNKNOWN, MASK = range(5)
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<mask>")
"""The first tokens of all our vocabularies, by their numbers."""
_WORD = re.compile(r"\w+|[^\w\s]")


def sentinel(number: int) -> str:
    """The token that stands for the span ``number`` of span corruption."""
    return f"<extra_id_{number}>"


@dataclass(frozen=True, slots=True)
class Tally:
    """What a tokenizer makes of texts. ``unknown`` is the share of tokens that stand for nothing known, ``covered`` the
    share of words without such a token, ``fertility`` tokens a word, ``characters`` characters a token, and ``same``
    the share of texts that come back exactly. ``words`` and ``tokens`` are counts."""

    texts: int
    words: int
    tokens: int
    unknown: float
    covered: float
    fertility: float
    characters: float
    same: float


@dataclass(slots=True)
class _Counts:
    texts: int = 0
    words: int = 0
    known: int = 0
    tokens: int = 0
    unknown: int = 0
    characters: int = 0
    same: int = 0
    fertilities: list[tuple[int, int]] = field(default_factory=list)


def train(
    texts: Iterable[str],
    *,
    algorithm: Algorithm,
    vocabulary: int,
    lowercase: bool = False,
    sentinels: int = 0,
    special: Sequence[str] = (),
) -> Tokenizer:
    """A tokenizer of at most ``vocabulary`` tokens, which begin with ``SPECIAL``, then the sentinels, then ``special``.

    It puts no token before or after a text by itself. Raises ``NothingLearned`` without texts, and as ``first`` does.
    """
    names = first(algorithm, vocabulary, sentinels, special)
    tokenizer = _empty(algorithm)
    forms = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(forms)
    if algorithm in ("character", "word"):
        _count(tokenizer, texts, vocabulary, names)
    else:
        tokenizer.train_from_iterator(_some(texts), _trainer(algorithm, vocabulary, names))
    tokenizer.add_special_tokens(names)
    wrong = [name for number, name in enumerate(names) if tokenizer.token_to_id(name) != number]
    if wrong:
        raise ModelError(f"the tokenizer numbers {wrong[0]} otherwise than it must", remedy="Choose another algorithm")
    return tokenizer


def first(algorithm: Algorithm, vocabulary: int, sentinels: int, special: Sequence[str]) -> list[str]:
    """The tokens that a vocabulary begins with. Raises ``InvalidRequest`` if it has no room for what must be in it."""
    names = [*SPECIAL, *(sentinel(number) for number in range(sentinels)), *special]
    if len(set(names)) < len(names):
        raise InvalidRequest("a special token is named twice", remedy="Name each once", param="options.special")
    least = len(names) + (256 if algorithm == "bpe" else 1)
    if vocabulary < least:
        raise InvalidRequest(
            f"a vocabulary of {vocabulary} has no room for {len(names)} special tokens and single bytes",
            remedy=f"Give at least {least}",
            param="options.vocabulary",
        )
    return names


def sentinels_of(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The tokens that stand for spans, in their order."""
    names = {each.content: number for number, each in tokenizer.get_added_tokens_decoder().items()}
    found: list[int] = []
    while (name := sentinel(len(found))) in names:
        found.append(names[name])
    return tuple(found)


def measure(tokenizer: Tokenizer, texts: Iterable[str]) -> Tally:
    """Raises ``NothingLearned`` without a word."""
    counts = _Counts()
    for text in texts:
        _tell(tokenizer, text, counts)
    if not counts.words or not counts.tokens:
        raise NothingLearned("there are no words to measure the tokenizer on", remedy="Give texts on the side test")
    return Tally(
        counts.texts,
        counts.words,
        counts.tokens,
        unknown=counts.unknown / counts.tokens,
        covered=counts.known / counts.words,
        fertility=counts.tokens / counts.words,
        characters=counts.characters / counts.tokens,
        same=counts.same / counts.texts,
    )


def spread(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[float, float]:
    """The 95 % interval of the fertility, texts being what is drawn (a ratio's normal approximation)."""
    counts = _Counts()
    for text in texts:
        _tell(tokenizer, text, counts)
    pairs, n = counts.fertilities, len(counts.fertilities)
    words = sum(each for _, each in pairs)
    ratio = sum(each for each, _ in pairs) / words
    variance = sum((tokens - ratio * count) ** 2 for tokens, count in pairs) / max(1, n - 1)
    half = 1.96 * math.sqrt(n * variance) / words
    return ratio - half, ratio + half


def report(tokenizer: Tokenizer, rows: Iterable[tuple[str, str]]) -> dict[str, Mapping[str, Any]]:
    """A ``Tally`` of all texts (named ``all``) and of each language. ``rows`` are (text, language or nothing)."""
    by: dict[str, list[str]] = {}
    for text, language in rows:
        by.setdefault("all", []).append(text)
        if language:
            by.setdefault(language, []).append(text)
    return {name: asdict(measure(tokenizer, texts)) for name, texts in sorted(by.items())}


def given(base: Path) -> Tokenizer:
    """The tokenizer in the folder of a version. Raises ``InvalidRequest`` if there is none, and as ``load`` does."""
    path = base / "tokenizer.json"
    if not path.exists():
        raise InvalidRequest(
            f"{base.name} has no tokenizer.json",
            remedy="Start from a tokenizer or from a pretrained model",
            param="base",
        )
    return load(path)


def load(path: Path) -> Tokenizer:
    """Raises ``ModelError`` if it is no tokenizer, or numbers the first tokens otherwise than ours do."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # The package raises a plain Exception.
        raise ModelError(
            f"{path.name} is not a tokenizer: {error}", remedy="Train one with the recipe tokenizer"
        ) from None
    for number, name in enumerate(SPECIAL):
        if tokenizer.token_to_id(name) != number:
            raise ModelError(
                f"the tokenizer's token {number} is not {name}",
                remedy="Use one that the recipe tokenizer made",
                param="options.tokenizer",
            )
    return tokenizer


def _empty(algorithm: Algorithm) -> Tokenizer:
    tokenizer: Tokenizer
    if algorithm == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    elif algorithm == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL[UNKNOWN], max_input_chars_per_word=100))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece(prefix="##")
    elif algorithm == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    else:
        tokenizer = Tokenizer(models.WordLevel({}, unk_token=SPECIAL[UNKNOWN]))
        pattern = r"[\s\S]" if algorithm == "character" else r"\w+|[^\w\s]|\s+"
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
        tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _trainer(algorithm: Algorithm, vocabulary: int, names: list[str]) -> Any:
    if algorithm == "bpe":
        return trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=names,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    if algorithm == "wordpiece":
        return trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=names, show_progress=False)
    return trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=names, unk_token=SPECIAL[UNKNOWN], show_progress=False
    )


def _count(tokenizer: Tokenizer, texts: Iterable[str], vocabulary: int, names: list[str]) -> None:
    """The most frequent characters or words: there is nothing to train."""
    counted: Counter[str] = Counter()
    for text in _some(texts):
        normal = tokenizer.normalizer.normalize_str(text)
        counted.update(piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    kept = sorted(counted, key=lambda piece: (-counted[piece], piece))
    numbered = [*names, *(piece for piece in kept if piece not in names)][:vocabulary]
    tokenizer.model = models.WordLevel({name: at for at, name in enumerate(numbered)}, unk_token=SPECIAL[UNKNOWN])


def _some(texts: Iterable[str]) -> Iterator[str]:
    found = False
    for text in texts:
        if text.strip():
            found = True
            yield text
    if not found:
        raise NothingLearned(
            "there is no text to train a tokenizer on",
            remedy="Give rows with text",
        )


def _tell(tokenizer: Tokenizer, text: str, counts: _Counts) -> None:
    encoded = tokenizer.encode(text, add_special_tokens=False)
    lost = [span for number, span in zip(encoded.ids, encoded.offsets, strict=True) if number == UNKNOWN]
    words = [match.span() for match in _WORD.finditer(text)]
    counts.texts += 1
    counts.words += len(words)
    # Offsets count characters: a word is lost if one of its characters is.
    counts.known += sum(not any(a < end and b > start for a, b in lost) for start, end in words)
    counts.tokens += len(encoded.ids)
    counts.unknown += len(lost)
    counts.characters += len(text)
    counts.same += tokenizer.decode(encoded.ids, skip_special_tokens=False) == text
    if words:
        counts.fertilities.append((len(encoded.ids), len(words)))
