"""Query2Doc (Wang et al. 2023): the question is lengthened by a passage that a model writes.

Words are searched by five repetitions of the question and the passage, meaning by the question and the passage.
"""

from __future__ import annotations

from dataclasses import replace

from mainspring.rag.query.model import Ask, soft
from mainspring.rag.query.plan import PlanStep, Query

MAX_TOKENS = 120
_REPEATED = 5
_INSTRUCTION = "Write a passage, of three sentences at most, that answers the given query."


async def lengthened(query: Query, ask: Ask, step: PlanStep, room: int) -> Query:
    """``query`` with a pseudo-document in its words and in its embedding."""
    text = await soft(ask, step, _INSTRUCTION, query.text, MAX_TOKENS, room)
    step.changed = bool(text)
    if not text:
        return query
    return replace(query, lexical=" ".join([*[query.text] * _REPEATED, text]), dense=f"{query.text}\n{text}")
