"""Whether what was found answers a question, as a trained reader says that reads both together.

Words and cosines see that a passage is about what is asked. A reader sees near misses, which do not say it. It reads
the neighbourhoods of the best sentences, since a sentence alone may lack what its paragraph is about.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from mainspring.core.errors import EngineError
from mainspring.engines.base import Reranker
from mainspring.rag.answer.verbatim.extract import Passage

log = logging.getLogger("mainspring.rag")
_READ, _WORDS = 2, 80
# A neighbourhood is looked for within so many characters of its sentence.
_REACH = 900


async def likely(
    question: str, passages: Sequence[Passage], texts: Mapping[str, str], reader: Reranker | None
) -> float | None:
    """How likely it is, in [0, 1], that one of the best of ``passages`` answers: the greatest of what ``reader`` says.

    None without a reader, if nothing was found, if rows of tables are what is closest, which it never saw, and if it
    fails.
    """
    if reader is None or not passages or passages[0].kind == "row":
        return None
    try:
        found = await reader.rerank(question, neighbourhoods(passages, texts))
    except EngineError as error:
        # Without it the answer is what it was before there were readers.
        log.warning("%s did not read what was found: %s", reader.name, error.message)
        return None
    return float(max(found.scores))


def neighbourhoods(passages: Sequence[Passage], texts: Mapping[str, str]) -> list[str]:
    """The texts around the best of ``passages``, each under its heading, apart from each other."""
    found: list[str] = []
    taken: list[tuple[str, int, int]] = []
    for passage in passages:
        name = passage.hit.document_id
        if any(name == other and start <= passage.start and passage.end <= end for other, start, end in taken):
            continue
        text = texts[name]
        start, end = around(text, passage.start, passage.end)
        taken.append((name, start, end))
        heading = passage.heading.rpartition(" > ")[2]
        shown = " ".join(text[start:end].split())
        found.append(f"{heading}: {shown}" if heading else shown)
        if len(found) == _READ:
            break
    return found


def around(text: str, start: int, end: int) -> tuple[int, int]:
    """The place of about ``_WORDS`` words of ``text`` around its part ``[start:end]``, as many on either side, within
    its paragraphs' section."""
    spare = max(0, _WORDS - len(text[start:end].split()))
    before = text[max(0, start - _REACH) : start]
    behind = text[end : end + _REACH]
    before = before[before.rfind("\n\n") + 2 :] if "\n\n" in before else before
    behind = behind.partition("\n\n")[0]
    first, last = before.split(" "), behind.split(" ")
    # What one side lacks the other has.
    left = min(len(first), max(spare // 2, spare - len(last)))
    right = min(len(last), spare - left)
    return start - len(" ".join(first[len(first) - left :])), end + len(" ".join(last[:right]))
