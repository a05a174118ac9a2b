"""Which sentences are nearly the same, so that none of a test is learned.

Two sentences of one language are near if they have the same letters and digits, or, from six words to two hundred, if
one word makes the difference: another one, one more, one less, or one in another place. Signatures find all of these
without comparing each with each: what remains without one word is the same for both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

_SHORTEST, _LONGEST = 6, 200
"""Words of a sentence that is compared without one of them: a longer one is a whole text, and would be written as often
as it has words."""
_WORDS = re.compile(r"[^\W_]+")


def words(sentence: str) -> tuple[str, ...]:
    """The words, in lower case, without accents and marks."""
    plain = unicodedata.normalize("NFKD", sentence).casefold()
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return tuple(_WORDS.findall(unicodedata.normalize("NFKC", plain)))


def key(sentence: str) -> str:
    """Its letters and digits: the same for sentences that differ in marks, case and spaces."""
    return "".join(words(sentence))


def signatures(sentence: str) -> Iterator[str]:
    """Two sentences share one if, and only if, they are near."""
    found = words(sentence)
    whole = "".join(found)
    yield whole
    if not _SHORTEST <= len(found) <= _LONGEST:
        return
    yield f"+{whole}"
    for place in range(len(found)):
        yield f"+{''.join(found[:place] + found[place + 1 :])}"


class HeldOutSentences:
    """Sentences of a language that nothing may learn."""

    def __init__(self, sentences: Iterable[str] = ()) -> None:
        self._found = {each for sentence in sentences for each in signatures(sentence)}

    def add(self, sentence: str) -> None:
        self._found.update(signatures(sentence))

    def near(self, sentence: str) -> bool:
        return any(each in self._found for each in signatures(sentence))
