"""The languages in which the assistant has texts of its own."""

# ruff: noqa: E501  (texts that are cut in two read worse)
from __future__ import annotations

import re
from typing import Literal, get_args

import mainspring.serving.judge.language as detected

Language = Literal["en", "de", "fr", "es"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_WORD = re.compile(r"[^\W\d_]+")
# Words of short messages that are no other language's.
_TELLING: dict[Language, frozenset[str]] = {
    "de": frozenset(
        "hallo danke tschüss guten tag morgen abend wieviel heute uhr datum bitte mir dir ich du was kannst weißt "
        "vergiss merke merk berechne mal geteilt wie spät welcher wochentag baue baut bombe anweisungen zeige alle deine deinen vorherigen ignoriere und ich mich nicht weiß".split()
    ),
    "fr": frozenset(
        "bonjour salut merci bonsoir quelle quel sommes nous heure aujourd hui date jour oublie souviens toi rappelle combien font fait "
        "fois divisé comment fabriquer peux sais moi tu je vous montre affiche toutes tes vos ignore-les précédentes veux".split()
    ),
    "es": frozenset(
        "hola gracias adiós buenos días tardes noches qué hora fecha hoy día olvida recuerda cuánto cuanto por dividido "
        "cómo puedes sabes mí tú yo instrucciones muestra todas tus ignora anteriores puedo ayudar quiero".split()
    ),
}


def language_of(text: str) -> Language:
    """The language of ``text`` among those with texts; English where it is another one, or not certain."""
    found = detected.detect(text)
    if found in LANGUAGES:
        return found
    words = [each.casefold() for each in _WORD.findall(text)]
    counts = {name: sum(word in known for word in words) for name, known in _TELLING.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] * 3 >= max(1, len(words)) and counts[best] else "en"
