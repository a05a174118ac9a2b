"""Detects the language of a text by its script and frequent words, and whether the embedding model knows it.

A rule and no model: about two dozen languages, certain only for a few sentences. Undetected languages are ``und``, and
cause no warning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mainspring.engines.base import Embedder
from mainspring.serving.judge.language import UNKNOWN, detect

__all__ = [
    "EVERY",
    "MULTILINGUAL",
    "NAMES",
    "UNKNOWN",
    "detect",
    "knows",
    "language_of",
    "main_language",
    "remedy",
    "strange",
    "unfamiliar",
]

EVERY = "*"
"""Among the languages of a model: it was trained on many."""
NAMES: Mapping[str, str] = {
    "ar": "Arabic",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "uk": "Ukrainian",
    "zh": "Chinese",
}
_LOOKED_AT, _LEAST_WORDS = 4_000, 12
_LONE = re.compile(r"\b[A-Za-z]\b")
_WORD = re.compile(r"[^\W\d_]+")
MULTILINGUAL = "multilingual-e5-small-q4"
"""The entry of the catalogue that is named as a remedy."""


def language_of(text: str) -> str:
    """The language of the running text in ``text``; ``UNKNOWN`` if the text is too short for a decision.

    Tables, code and single letters are left out: "A | O | E" would look like a language of few letters.
    """
    lines = [line for line in text[:_LOOKED_AT].splitlines() if " | " not in line and not line.lstrip().startswith("|")]
    words = [word for word in _WORD.findall(" ".join(lines)) if len(word) > 1 or not word.isascii()]
    prose = " ".join(words)
    # Scripts that have no spaces have few words.
    return detect(prose) if len(words) >= _LEAST_WORDS or not prose.isascii() else UNKNOWN


def main_language(texts: Iterable[str]) -> str:
    """The language of at least half of the ``texts`` with a known language; else ``UNKNOWN``."""
    counts = Counter(language for language in map(language_of, texts) if language != UNKNOWN)
    best, count = counts.most_common(1)[0] if counts else (UNKNOWN, 0)
    return best if 2 * count >= counts.total() else UNKNOWN


def knows(embedder: Embedder, language: str) -> bool:
    """Whether the model was made for ``language``. A model that does not say is given the benefit of the doubt."""
    languages: Sequence[str] = getattr(embedder, "languages", ())
    return not languages or EVERY in languages or language in (UNKNOWN, *languages)


def unfamiliar(embedder: Embedder, question: str, passages: Sequence[str]) -> str:
    """A warning if the question or the passages are in a language that the embedder does not know; else empty."""
    asked, said = detect(_LONE.sub(" ", question)), main_language(passages)
    problem = ""
    if not knows(embedder, said):
        problem = f"The documents that were found are in {NAMES[said]}"
    elif not knows(embedder, asked):
        problem = f"The question is in {NAMES[asked]}"
    if not problem:
        return ""
    return (
        f"{problem}, which the embedding model {embedder.name} does not know: it was searched by words, and what is "
        f"said in other words was probably missed. {remedy()}"
    )


def strange(embedder: Embedder, languages: Mapping[str, int]) -> str:
    """A warning if most documents, counted by language, are in one that the embedder does not know; else empty."""
    told = {name: count for name, count in languages.items() if name != UNKNOWN}
    main = max(told, key=lambda name: (told[name], name), default=UNKNOWN)
    if knows(embedder, main):
        return ""
    return (
        f"Most documents are in {NAMES[main]}, which the embedding model {embedder.name} does not know: they are found "
        f"by words, and hardly by meaning. {remedy()}"
    )


def remedy() -> str:
    """The remedy."""
    return f"A model for many languages ({MULTILINGUAL}) in models.embedding and `mainspring rag reindex` help."
