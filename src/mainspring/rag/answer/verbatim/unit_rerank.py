"""Units of documents read again by a cross-encoder, each under its heading.

Pairs are short, because reading is the cost of an answer: few units, each with the end of its heading's path, a list
item with its lead-in, a row with its key and the columns that the question names.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from mainspring.core.errors import EngineError
from mainspring.engines.base import Reranker
from mainspring.rag.answer.verbatim import display, extract, rows
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED, ChoiceWeights
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.text import terms

log = logging.getLogger("mainspring.rag")
MOST = 16
"""The number of units that are read."""
_WORDS, _HEADING_PARTS, _BEFORE_WORDS = 60, 2, 24
# The logit of a reading that counts half of a certain one, and the slope.
_HALF, _SLOPE = 2.0, 0.4


async def reread(
    question: str, ranked: Sequence[Passage], reranker: Reranker | None, choice: ChoiceWeights = SHIPPED
) -> list[Passage]:
    """``ranked`` (best first) in a new order, the first ``MOST`` of them with ``read``. If the reranker fails, or
    if there is none, the order stays."""
    first = list(ranked[:MOST])
    if not first or reranker is None:
        return list(ranked)
    texts = [form(passage, question) for passage in first]
    distinct = list(dict.fromkeys(texts))
    try:
        found = await reranker.rerank(question, distinct)
    except EngineError as error:
        # An answer found by words and cosines is better than none.
        log.warning("%s did not read what was found: %s", reranker.name, error.message)
        return list(ranked)
    said = dict(zip(distinct, map(float, found.scores), strict=True))
    read = []
    for passage, text in zip(first, texts, strict=True):
        likely = _likely(said[text])
        score = passage.score + choice.read * likely
        read.append(replace(passage, score=score, read=said[text], terms=(*passage.terms, likely)))
    ordered = sorted(read, key=lambda passage: -passage.score) + list(ranked[MOST:])
    return extract.by_key(ordered, terms.content(question))


def form(passage: Passage, question: str) -> str:
    """The text of a unit for the reranker."""
    body = passage.text
    row = rows.parsed(body) if passage.kind == "row" else None
    if row is not None:
        cells = rows.columns(row, question)
        body = rows.short(row, cells or row.cells, bold="")
    elif passage.before and (passage.kind == "item" or display.leans(body)):
        body = f"{' '.join(passage.before.split()[-_BEFORE_WORDS:])} {body}"
    path = passage.heading.split(" > ")[-_HEADING_PARTS:]
    words = f"{' > '.join(path)}: {body}".split() if passage.heading else body.split()
    return " ".join(words[:_WORDS])


def logit(read: float) -> float:
    """The logit of a probability, within float precision."""
    return math.log(max(read, 1e-7) / max(1 - read, 1e-7))


def _likely(read: float) -> float:
    return 1 / (1 + math.exp(-_SLOPE * (logit(read) - _HALF)))
