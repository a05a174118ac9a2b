"""Multi-query: the question is asked in other words as well, and what all of them find is fused (RAG-Fusion)."""

from __future__ import annotations

from mainspring.rag.query.model import Ask, lines, soft
from mainspring.rag.query.plan import PlanStep, Query

MAX_TOKENS = 90
_MOST = 3
_WEIGHT = 0.5
_INSTRUCTION = (
    f"Rewrite the question in {_MOST} different ways that ask for the same thing. Write one on each line, and "
    "nothing else."
)


async def rephrased(query: Query, ask: Ask, step: PlanStep, room: int) -> list[Query]:
    """Further queries that ask the same, with half the question's weight each."""
    text = await soft(ask, step, _INSTRUCTION, query.text, MAX_TOKENS, room)
    found = [Query(line, weight=_WEIGHT * query.weight) for line in lines(text, _MOST) if line != query.text]
    step.changed = bool(found)
    return found
