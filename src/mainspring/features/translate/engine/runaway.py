"""Translations of chat models that repeat themselves, or that explain a text in place of translating it."""

from __future__ import annotations

_LONGEST_PHRASE, _TIMES = 6, 4
_FREE, _GROWS = 60, 5


def runs_away(translation: str, text: str) -> bool:
    """Whether a phrase of up to six words stands four times in a row in ``translation`` and not in ``text``, or it is
    far longer than a translation of ``text`` can be (English has up to four letters for one of Korean)."""
    if len(translation) > _FREE + _GROWS * len(text):
        return True
    return _repeats(translation.split()) is not None and _repeats(text.split()) is None


def without_repetition(translation: str) -> str:
    """``translation`` up to the first time of the phrase that it repeats to its end."""
    words = translation.split()
    found = _repeats(words)
    return translation if found is None else " ".join(words[:found])


def _repeats(words: list[str]) -> int | None:
    """Where the first repetition begins, of words; None: there is none."""
    for size in range(1, _LONGEST_PHRASE + 1):
        same = 0
        for place in range(size, len(words)):
            same = same + 1 if words[place] == words[place - size] else 0
            if same == size * (_TIMES - 1):
                return place - same + 1
    return None
