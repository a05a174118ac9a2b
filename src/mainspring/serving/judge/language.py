"""Detects the language of a text by its script and frequent words.

A rule and no model: about two dozen languages, certain only for a few sentences. Undetected languages are ``und``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

UNKNOWN = "und"

_LOOKED_AT = 4_000
_LEAST_WORDS = 2
_WORD = re.compile(r"[^\W\d_]+")
_LETTER = re.compile(r"[^\W\d_]")
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ko", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")),
    ("cyrillic", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
_FREQUENT = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the of and to in is that it for was on are with as be this by at from or have an not which what how "
        "when where who does can do you i my your will if",
        "de": "der die das und ist von zu den mit sich des auf für nicht ein eine einen dem im es an als auch wie wird "
        "bei nach aus werden sind oder was wann wer wo kann wieviel viele ich mein dürfen gilt wo welche",
        "fr": "le la les de des et est un une du en que qui dans pour pas sur au avec ce il sont par plus ou quel "
        "quelle quand comment combien où peut je mon votre aux cette être",
        "es": "el la los las de y es un una en que por con para no se del al como su más son qué cuándo cómo cuánto "
        "cuántos dónde quién puede mi esta está lo",
        "it": "il la le di e è un una in che per con non del della dei al come si sono da nel quando quanto quanti "
        "dove chi può mio questo gli alla delle",
        "nl": "de het een en van is in dat op te zijn met voor niet aan er die als wordt hoe wanneer wie waar kan ik "
        "mijn veel naar bij ook deze worden",
        "pt": "o a os as de e é um uma em que por com para não se do da dos no na como mais são quando quanto quantos "
        "onde quem pode meu esta ao pelo",
        "sv": "och att det är en ett som i på för med inte av till den har de om kan när hur var vem många min jag "
        "får vid eller",
        "pl": "i w nie na się jest z do to że o jak co za po od czy są dla przez kiedy ile gdzie kto może mój oraz",
        "ru": "и в не на что с по как это для от из к за у о при или может когда сколько где кто до можно есть мы вы "
        "быть только если",
        "uk": "і в не на що з по як це для від із до за у про при або може коли скільки де хто та є можна бути якщо",
    }.items()
}
_MARKS = {
    "ß": "de",
    "ñ": "es",
    "¿": "es",
    "ã": "pt",
    "õ": "pt",
    "å": "sv",
    "ł": "pl",
    "œ": "fr",
    "ы": "ru",
    "э": "ru",
    "ї": "uk",
    "і": "uk",
}
_CYRILLIC = ("ru", "uk")
_LANGUAGES_OF = {
    word: tuple(language for language, theirs in _FREQUENT.items() if word in theirs)
    for word in frozenset[str]().union(*_FREQUENT.values())
}


def detect(text: str) -> str:
    """The language of ``text`` as a code of two letters, or ``UNKNOWN``."""
    text = text[:_LOOKED_AT].lower()
    if not _LETTER.search(text):
        return UNKNOWN
    script = ""
    # No script here has a character of ASCII.
    plain = text.isascii()
    letters = 0 if plain else len(_LETTER.findall(text))
    for name, pattern in () if plain else _SCRIPTS:
        # Japanese mixes three scripts: some kana decide, whatever else there is.
        if len(pattern.findall(text)) >= letters * (0.08 if name == "ja" else 0.4):
            script = name
            break
    if script and script != "cyrillic":
        return script
    return _by_words(text, _CYRILLIC if script else tuple(name for name in _FREQUENT if name not in _CYRILLIC))


def _by_words(text: str, languages: Sequence[str]) -> str:
    hits = dict.fromkeys(languages, 0.0)
    for word in _WORD.findall(text):
        for language in _LANGUAGES_OF.get(word, ()):
            if language in hits:
                hits[language] += 1
    for mark, language in _MARKS.items():
        if language in hits and mark in text:
            hits[language] += 1
    first, second = sorted(hits, key=lambda language: -hits[language])[:2]
    return first if hits[first] >= _LEAST_WORDS and hits[first] > hits[second] else UNKNOWN
