"""Which language a text is in: probabilities, and whether they suffice."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mainspring.core.errors import MissingExtra

NAMES = {
    "ar": "Arabic", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
MOST = 20_000
"""Characters of a text that are looked at."""
_NOISE = re.compile(r"https?://\S+|[^\s@]{1,64}+@\S+|<[^<>]+>|`[^`]*`|\{[^{}]*\}|[\d_]+")
_HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Guess:
    language: str
    probability: float


def name(language: str) -> str:
    """In English; the code where it is not known."""
    return NAMES.get(language, language)


def detect(text: str, languages: Sequence[str]) -> list[Guess]:
    """The likeliest of ``languages`` first; nothing if the text has no letters. A language that is none of them comes
    before them where it is far likelier than each.

    Raises ``MissingExtra`` if py3langid is not installed.
    """
    plain = _NOISE.sub(" ", text[:MOST]).strip()
    letters = len(_LETTER.findall(plain))
    if not letters:
        return []
    hangul = len(_HANGUL.findall(plain))
    if hangul and "ko" in languages and hangul * 3 >= letters:
        others = [Guess(each, 0.0) for each in sorted(languages) if each != "ko"]
        return [Guess("ko", 1.0), *others]
    known = _identifier(tuple(sorted(languages)))
    found = [(language, float(score)) for language, score in known.rank(plain)]
    other, score = next((language, float(score)) for language, score in _identifier(()).rank(plain))
    if found and other not in languages and score > max(score for _, score in found) + _FAR:
        found.append((other, score))
    # Its scores are logarithms of likelihoods of all n-grams, which are far from independent: their root.
    best = max(score for _, score in found)
    weights = [(language, math.exp((score - best) / _SHARPNESS)) for language, score in found]
    total = sum(weight for _, weight in weights)
    guesses = [Guess(language, round(weight / total, 4)) for language, weight in weights]
    return sorted(guesses, key=lambda guess: (-guess.probability, guess.language))


_SHARPNESS = 5.0
_FAR = 10.0
"""By how much the logarithm of its likelihood must be above: short sentences resemble many languages. Of 2,600
sentences in the four languages none was taken for another so, and of ten others' most were noticed."""


@lru_cache(maxsize=8)
def _identifier(languages: tuple[str, ...]) -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ModuleNotFoundError:
        raise MissingExtra(
            "detecting languages needs py3langid, which is not installed",
            remedy="pip install 'mainspring[languages]', or send `source`",
        ) from None
    made = LanguageIdentifier.from_model_file(MODEL_FILE)
    if languages:
        made.set_languages([each for each in languages if each in made.nb_classes])
    return made
