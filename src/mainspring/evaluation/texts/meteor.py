"""METEOR over nltk: words match exactly, by stem, or as synonyms of WordNet where a folder of it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from mainspring.core.errors import InvalidRequest, MissingExtra

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_KINDS = ("noun", "verb", "adj", "adv")
# The inflections that WordNet's own search takes off (morphy(7WN)).
_ENDINGS = {
    "noun": (("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"),
             ("men", "man"), ("ies", "y")),
    "verb": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}  # fmt: skip


class Thesaurus(Protocol):
    """What nltk asks a WordNet for."""

    def synsets(self, word: str) -> Iterable[Any]: ...


class NoThesaurus:
    """Stands where there is no WordNet: words have no synonyms."""

    def synsets(self, word: str) -> Iterable[Any]:  # noqa: ARG002
        return ()


@dataclass(frozen=True, slots=True)
class Lemma:
    """A word of a set of synonyms, under nltk's name for it."""

    word: str

    def name(self) -> str:
        return self.word


@dataclass(frozen=True, slots=True)
class Synset:
    """A set of synonyms."""

    words: tuple[str, ...]

    def lemmas(self) -> list[Lemma]:
        return [Lemma(word) for word in self.words]


class WordNet:
    """Synonyms from the dictionary files of WordNet 3: Debian's package ``wordnet-base`` has them in
    ``/usr/share/wordnet``, nltk's download in ``corpora/wordnet``."""

    def __init__(self, folder: Path) -> None:
        """Raises ``InvalidRequest`` for a folder without these files."""
        for kind in _KINDS:
            for name in (f"index.{kind}", f"data.{kind}", f"{kind}.exc"):
                if not (folder / name).is_file():
                    raise InvalidRequest(
                        f"{folder} has no file {name}",
                        param="wordnet",
                        remedy="Give the folder of WordNet's dictionary files",
                    )
        self._data = {kind: (folder / f"data.{kind}").read_bytes() for kind in _KINDS}
        self._places = {kind: dict(_index(folder / f"index.{kind}")) for kind in _KINDS}
        self._irregular = {kind: dict(_exceptions(folder / f"{kind}.exc")) for kind in _KINDS}
        self._cached = lru_cache(50_000)(self._found)

    def synsets(self, word: str) -> Sequence[Synset]:
        """All sets of synonyms that ``word`` or its base form is in."""
        return self._cached(word.lower().replace(" ", "_"))

    def _found(self, word: str) -> Sequence[Synset]:
        return tuple(
            Synset(_words(self._data[kind], place))
            for kind in _KINDS
            for form in dict.fromkeys(self._forms(word, kind))
            for place in self._places[kind].get(form, ())
        )

    def _forms(self, word: str, kind: str) -> Iterator[str]:
        yield word
        yield from self._irregular[kind].get(word, ())
        for ending, base in _ENDINGS[kind]:
            if word.endswith(ending):
                yield word.removesuffix(ending) + base


def _index(path: Path) -> Iterator[tuple[str, list[int]]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split()
        # Lines of the licence begin with a blank.
        if fields and not line.startswith(" "):
            yield fields[0], [int(place) for place in fields[-int(fields[2]) :]]


def _exceptions(path: Path) -> Iterator[tuple[str, list[str]]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if fields := line.split():
            yield fields[0], fields[1:]


def _words(data: bytes, place: int) -> tuple[str, ...]:
    """The words of the line at ``place``: a count in hexadecimal, then each word with its number (wndb(5WN))."""
    fields = data[place : data.index(b"\n", place)].decode(errors="replace").split()
    return tuple(fields[4 + 2 * number].split("(")[0] for number in range(int(fields[3], 16)))


def meteor(
    predictions: Sequence[str], references: Sequence[Sequence[str]], thesaurus: Thesaurus | None = None
) -> list[float]:
    """The score of each prediction against the best of its references, from 0 to 1 (Banerjee and Lavie 2005, with
    nltk's parameters). Without a ``thesaurus`` synonyms do not match. Raises ``MissingExtra``."""
    try:
        from nltk.translate.meteor_score import meteor_score
    except ImportError:
        raise MissingExtra("METEOR needs nltk", remedy="Install mainspring[eval]") from None
    known = thesaurus or NoThesaurus()
    return [
        float(meteor_score([_split(each) for each in several], _split(own), wordnet=known))
        for own, several in zip(predictions, references, strict=True)
    ]


def _split(text: str) -> list[str]:
    return _WORD.findall(text)
