"""The types of conversation memory: exchanges, the material of a strategy, and its result.

A strategy keeps stable parts in front (summary, first exchanges) and lets the latest exchanges grow at the end, so that
each prompt mostly repeats the previous one and the engine's prefix cache works.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.types import Message
from mainspring.stores.sessions.conversations import Conversation
from mainspring.stores.sessions.turns import TurnMessage

StrategyName = Literal["truncation", "window", "summary", "hierarchical"]
# A message longer than this many bytes per token of the budget needs no tokenizer.
BYTES_A_TOKEN = 12


@dataclass(frozen=True, slots=True)
class Exchange:
    """Messages that belong together: from a user's message up to the next one. ``number`` counts turns from 0."""

    number: int
    said: tuple[TurnMessage, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(each.message for each in self.said)

    @property
    def last_turn(self) -> str:
        return self.said[-1].turn


class Count(Protocol):
    """Tokens of each message, with the tokens that a template adds to it."""

    async def __call__(self, messages: Sequence[Message]) -> list[int]: ...


Recall = Callable[[str, str, int], Awaitable[Sequence[Exchange]]]
"""Exchanges before a turn that are relevant to a query, within a number of tokens, oldest first."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many tokens each part of the history may take: ``recent`` is the rest."""

    recent: int
    summary: int = 0
    recalled: int = 0
    first: int = 0


@dataclass(frozen=True, slots=True)
class Material:
    """The input of a strategy. ``query`` is the new message, ``first`` how many exchanges are always kept."""

    conversation: Conversation
    query: str
    shares: Shares
    count: Count
    recall: Recall
    first: int = 1


@dataclass(frozen=True, slots=True)
class Composed:
    """The history that precedes the new messages: ``notes`` on turns that are not shown, the ``first`` exchanges, the
    ``recent`` ones, and older ones ``recalled`` for the new message."""

    recent: tuple[Exchange, ...] = ()
    first: tuple[Exchange, ...] = ()
    recalled: tuple[Exchange, ...] = ()
    notes: str = ""


class Strategy(Protocol):
    """Chooses what of a conversation is shown. ``summarises`` and ``recalls`` say what must be kept ready for it."""

    summarises: bool
    recalls: bool

    def shares(self, tokens: int, summary: int, recalled: int) -> Shares:
        """How ``tokens`` of history are divided; ``summary`` and ``recalled`` are the most that those may take."""
        ...

    async def compose(self, material: Material) -> Composed: ...


def exchanges(said: Sequence[TurnMessage], turns: int) -> list[Exchange]:
    """``said``, the latest messages of a conversation of ``turns`` turns, in exchanges. Messages before the first one
    that starts an exchange (a tool's result, say) are omitted: their call is missing."""
    ids = list(dict.fromkeys(each.turn for each in said))
    numbers = {turn: turns - len(ids) + index for index, turn in enumerate(ids)}
    found: list[list[TurnMessage]] = []
    begun = ""
    for each in said:
        opens = each.message.role in ("user", "system", "developer")
        if opens and each.turn != begun:
            found.append([each])
            begun = each.turn
        elif found:
            found[-1].append(each)
    return [Exchange(numbers[group[0].turn], tuple(group)) for group in found]


async def latest(groups: Sequence[Exchange], count: Count, tokens: int) -> tuple[list[Exchange], list[int]]:
    """The latest exchanges that can matter to a budget of ``tokens``, and the tokens of each.

    A token has at least one byte: a short text counts as its bytes.
    """
    near: list[Exchange] = []
    size = 0
    for group in reversed(groups):
        near.insert(0, group)
        size += _bytes(group)
        if size > tokens * BYTES_A_TOKEN:
            break
    if size <= tokens:
        return near, [_bytes(group) for group in near]
    counts = await count([message for group in near for message in group.messages])
    costs, at = [], 0
    for group in near:
        costs.append(sum(counts[at : at + len(group.said)]))
        at += len(group.said)
    return near, costs


async def tail(groups: Sequence[Exchange], count: Count, tokens: int) -> tuple[Exchange, ...]:
    """The latest exchanges within ``tokens``. Where some must go, they go many at a time, at places that stay the same
    from turn to turn: otherwise each prompt would begin differently, and no prefix of it could be cached."""
    near, costs = await latest(groups, count, tokens)
    suffix, begin = 0, len(near)
    sums = [0] * (len(near) + 1)
    for index in range(len(near) - 1, -1, -1):
        suffix += costs[index]
        sums[index] = suffix
        if suffix <= tokens:
            begin = index
        else:
            break
    if begin == 0 and len(near) == len(groups):
        return tuple(near)
    for block in (32, 16, 8, 4, 2):
        aligned = next((index for index in range(begin, len(near)) if near[index].number % block == 0), None)
        if aligned is not None and sums[aligned] >= tokens / 2:
            return tuple(near[aligned:])
    return tuple(near[begin:])


def _bytes(group: Exchange) -> int:
    """More than an exchange can have tokens."""
    return sum(
        estimate.TOKENS_A_MESSAGE
        + len(each.message.content.encode("utf-8", "replace"))
        + sum(len(call.arguments) + len(call.name) for call in each.message.tool_calls)
        for each in group.said
    )
