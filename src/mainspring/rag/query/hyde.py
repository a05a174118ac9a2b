"""HyDE (Gao et al. 2022): a passage that might answer the question is embedded together with the question."""

from __future__ import annotations

from dataclasses import replace

from mainspring.rag.query.model import Ask, soft
from mainspring.rag.query.plan import PlanStep, Query

MAX_TOKENS = 120
_INSTRUCTION = "Write a short passage, of three sentences at most, that answers the question."


async def passage(query: Query, ask: Ask, step: PlanStep, room: int) -> Query:
    """``query`` with a hypothetical passage; words are searched as before."""
    text = await soft(ask, step, _INSTRUCTION, query.text, MAX_TOKENS, room)
    step.changed = bool(text)
    return replace(query, passages=(*query.passages, text)) if text else query
