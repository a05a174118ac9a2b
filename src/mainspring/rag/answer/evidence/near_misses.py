"""Has a trained reader read the best sentences: whether any of them answers a question, and which ones do.

Words and cosines see that a sentence is about what is asked. A reader sees near misses, which do not say it, and tells
sentences that answer from those beside them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from mainspring.core.errors import EngineError
from mainspring.engines.base import Reranker
from mainspring.rag.answer.evidence import confirm
from mainspring.rag.answer.verbatim import unit_rerank
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.parse import language

log = logging.getLogger("mainspring.rag")
# More are hardly ever shown.
_READ = 8


async def read(
    question: str, passages: Sequence[Passage], reader: Reranker | None, wished: str = ""
) -> tuple[list[Passage], float | None]:
    """``passages``, the first of them with ``answers``, and how likely it is, in [0, 1], that one of them answers: the
    greatest of what ``reader`` says. ``wished`` is the question with what it says of the answer's form.

    Nothing is read (None) without a reader, if nothing was found, if rows of tables are what is closest, which it never
    saw, if several passages have to answer together, and if they are in another language than English, which is all
    that it saw. If it fails, the answer is what it would be without one.
    """
    if reader is None or not passages or passages[0].kind == "row" or not confirm.fits(wished or question):
        return list(passages), None
    units = [unit_rerank.form(passage, question) for passage in passages[:_READ]]
    if language.main_language([" ".join(units)]) not in (language.UNKNOWN, "en"):
        return list(passages), None
    distinct = list(dict.fromkeys(units))
    try:
        found = await reader.rerank(question, distinct)
    except EngineError as error:
        log.warning("%s did not read what was found: %s", reader.name, error.message)
        return list(passages), None
    said = dict(zip(distinct, map(float, found.scores), strict=True))
    first = [
        replace(passage, answers=unit_rerank.logit(said[text]))
        for passage, text in zip(passages[:_READ], units, strict=True)
    ]
    return [*first, *passages[_READ:]], max(said.values())
