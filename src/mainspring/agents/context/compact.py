"""Compaction by rules: the sentences of older turns that are worth keeping, as notes. No model is asked, so a run that
is replayed makes the same notes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mainspring.core.types import Message
from mainspring.serving.memory import notes
from mainspring.serving.memory.base import Count, Exchange
from mainspring.serving.memory.extract import notes_of
from mainspring.stores.sessions.turns import TurnMessage


def grouped(messages: Sequence[Message]) -> list[list[Message]]:
    """Messages that belong together: from a user's message up to the next one. What precedes the first is a group of
    its own."""
    groups: list[list[Message]] = []
    for each in messages:
        if each.role == "user" or not groups:
            groups.append([each])
        else:
            groups[-1].append(each)
    return groups


async def compacted(groups: Sequence[Sequence[Message]], before: str, count: Count, tokens: int) -> str:
    """Notes on ``groups``, after the notes ``before``, within ``tokens``: the weightiest sentences first."""
    if not groups and not before:
        return ""
    found = notes.merge((), notes_of([_exchange(number, group) for number, group in enumerate(groups)]))
    return await notes.render(notes.Notes(found, before), count, tokens)


def _exchange(number: int, group: Sequence[Message]) -> Exchange:
    turn = f"{number:08d}"
    return Exchange(
        number,
        tuple(
            TurnMessage(turn, position, 0.0, hashlib.sha256(each.content.encode("utf-8", "replace")).hexdigest(), each)
            for position, each in enumerate(group)
        ),
    )
