"""Has a trained reader read the best sentences: whether any of them answers a question, and which ones do.

Words and cosines see that a sentence is about what is asked. A reader sees near misses, which do not say it, and tells
sentences that answer from those beside them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace

from mainspring.core.errors import EngineError
from mainspring.engines.base import Reranker
from mainspring.rag.answer.evidence import confirm
from mainspring.rag.answer.verbatim import question_kind, unit_rerank
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.parse import language
from mainspring.rag.text import terms

log = logging.getLogger("mainspring.rag")
# More are hardly ever shown.
_READ = 8
# One of the best answers if any does: of eight, one looks as if it did more often. On development questions, 26 of 110
# near misses in place of 16, and one more answerable question, of which another sentence was shown.
_DECIDE = 3
_PHRASE_WORDS, _PHRASE_SHARE = 8, 0.6
# Steps and consequences are told by whole sentences.
_ASKS_MORE = re.compile(
    r"\bhow (?:do|does|did|can|could|should|would|to|is|are|was|were)\b|\bwhat happens\b"
    r"|\bwhat (?:do|should|must|can) (?:i|we|you)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?:if|when|where|while|because|to|by|for|in order)\b", re.IGNORECASE)


async def read(
    question: str, passages: Sequence[Passage], reader: Reranker | None, wished: str = ""
) -> tuple[list[Passage], float | None]:
    """``passages``, the first with ``answers`` and ``phrase``, and how likely it is, in [0, 1], that one of the best
    three answers: the greatest of what ``reader`` says of these. ``wished`` is the question with what it says of the
    answer's form.

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
    spans = dict(zip(distinct, found.spans, strict=False))
    first = []
    for passage, text in zip(passages[:_READ], units, strict=True):
        start, end = spans.get(text, (0, 0))
        first.append(
            replace(passage, answers=unit_rerank.logit(said[text]), phrase=phrase(question, passage, text[start:end]))
        )
    return [*first, *passages[_READ:]], max(said[text] for text in units[:_DECIDE])


def phrase(question: str, passage: Passage, said: str) -> str:
    """``said``, the words of ``passage`` that a reader gives as the answer, if they can stand for one: few words that
    say more than ``question`` does, of which it asks for none but a name, a thing or a value."""
    last = question.rpartition("\n")[2]
    body = " ".join(passage.text.split())
    short = 0 < len(said.split()) <= _PHRASE_WORDS and len(said) < _PHRASE_SHARE * len(body)
    if not short or said not in body or _ASKS_MORE.search(last) or question_kind.wanted(last) in ("polarity", "reason"):
        return ""
    own = terms.content(said)
    new = own - terms.content(last)
    numbered = any(map(str.isdigit, said))
    return said if numbered or (new and len(new) >= len(own) / 2 and not _CLAUSE.match(said)) else ""
