"""Compaction by rules: the sentences of older turns that are worth keeping, as notes, and the turns that bear on a
question. No model is asked, so a run that is replayed makes the same notes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

from mainspring.agents.context.ranker import Ranker, Statement
from mainspring.core.types import Message
from mainspring.serving.memory import notes
from mainspring.serving.memory.base import Count, Exchange
from mainspring.serving.memory.extract import notes_of
from mainspring.stores.sessions.turns import TurnMessage

# Turns that are recalled at most, and the characters of each by which it is found.
_MOST, _READ = 24, 4000
_SPOKEN = ("user", "assistant")


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
    found = await asyncio.to_thread(_notes, groups)
    return await notes.render(notes.Notes(found, before), count, tokens)


async def found_again(groups: Sequence[Sequence[Message]], question: str, count: Count, tokens: int) -> str:
    """The messages of users and assistants in ``groups`` that bear on ``question``, as lines in their order, within
    ``tokens``. They are found by words: embeddings might differ when a run is replayed."""
    said = [
        (number, each) for number, group in enumerate(groups) for each in group if each.role in _SPOKEN and each.content
    ]
    if not said or not question or tokens <= 0:
        return ""
    past = [Statement(each.content[:_READ], thread="") for _, each in said]
    scores = await asyncio.to_thread(Ranker().scores, question, None, past)
    chosen: list[int] = []
    for place in sorted(range(len(said)), key=lambda index: -scores[index])[:_MOST]:
        if scores[place] <= 0:
            break
        cost = (await count([Message("user", _line(said[place][1]))]))[0]
        if cost <= tokens:
            tokens -= cost
            chosen.append(place)
    return "\n".join(_line(said[place][1]) for place in sorted(chosen))


def _line(message: Message) -> str:
    picture = " (with a picture)" if message.images else ""
    return f"{message.role}: {' '.join(message.content.split())}{picture}"


def _notes(groups: Sequence[Sequence[Message]]) -> tuple[notes.Note, ...]:
    return notes.merge((), notes_of([_exchange(number, group) for number, group in enumerate(groups)]))


def _exchange(number: int, group: Sequence[Message]) -> Exchange:
    turn = f"{number:08d}"
    return Exchange(
        number,
        tuple(
            TurnMessage(turn, position, 0.0, hashlib.sha256(each.content.encode("utf-8", "replace")).hexdigest(), each)
            for position, each in enumerate(group)
        ),
    )
