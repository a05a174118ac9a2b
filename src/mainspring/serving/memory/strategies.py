"""The strategies: truncation, window, summary, hierarchical. docs/guides/sessions.md says what each promises."""

from __future__ import annotations

from collections.abc import Mapping

from mainspring.serving.memory import notes
from mainspring.serving.memory.base import (
    Composed,
    Exchange,
    Material,
    Shares,
    Strategy,
    StrategyName,
    exchanges,
    tail,
)

# No part of the history except the latest exchanges takes more than this share of the budget.
_SHARE = 4


class Truncation:
    """The latest exchanges that fit, and no earlier ones."""

    summarises = recalls = False

    def shares(self, tokens: int, summary: int, recalled: int) -> Shares:  # noqa: ARG002
        return Shares(tokens)

    async def compose(self, material: Material) -> Composed:
        groups = exchanges(material.conversation.recent, material.conversation.turns)
        return Composed(await tail(groups, material.count, material.shares.recent))


class Window:
    """The first exchanges, which state the subject, and the latest that fit beside them."""

    summarises = recalls = False

    def shares(self, tokens: int, summary: int, recalled: int) -> Shares:  # noqa: ARG002
        first = tokens // _SHARE
        return Shares(tokens - first, first=first)

    async def compose(self, material: Material) -> Composed:
        conversation = material.conversation
        recent = await tail(exchanges(conversation.recent, conversation.turns), material.count, material.shares.recent)
        shown = {each.turn for group in recent for each in group.said}
        opening = exchanges(conversation.first, len({each.turn for each in conversation.first}))
        first: list[Exchange] = []
        left = material.shares.first
        for group in opening[: material.first]:
            left -= sum(await material.count(group.messages))
            if left < 0 or any(each.turn in shown for each in group.said):
                break
            first.append(group)
        return Composed(recent, tuple(first))


class Summary:
    """A running summary of hidden exchanges, followed by the exchanges since."""

    summarises, recalls = True, False

    def shares(self, tokens: int, summary: int, recalled: int) -> Shares:  # noqa: ARG002
        summary = min(summary, tokens // _SHARE)
        return Shares(tokens - summary, summary)

    async def compose(self, material: Material) -> Composed:
        conversation = material.conversation
        recent = await tail(exchanges(conversation.recent, conversation.turns), material.count, material.shares.recent)
        text = ""
        if conversation.summary is not None:
            text = await notes.render(notes.load(conversation.summary.notes), material.count, material.shares.summary)
        return Composed(recent, notes=text)


class Hierarchical(Summary):
    """The latest exchanges, the running summary, and older exchanges that have to do with the new message."""

    recalls = True

    def shares(self, tokens: int, summary: int, recalled: int) -> Shares:
        summary, recalled = min(summary, tokens // _SHARE), min(recalled, tokens // _SHARE)
        return Shares(tokens - summary - recalled, summary, recalled)

    async def compose(self, material: Material) -> Composed:
        composed = await super().compose(material)
        if composed.recent:
            before = composed.recent[0].said[0].turn
            hidden = material.conversation.turns - len({each.turn for group in composed.recent for each in group.said})
        else:
            before, hidden = "~", material.conversation.turns
        if not hidden or not material.query:
            return composed
        found = await material.recall(material.query, before, material.shares.recalled)
        return Composed(composed.recent, recalled=tuple(found), notes=composed.notes)


STRATEGIES: Mapping[StrategyName, Strategy] = {
    "truncation": Truncation(),
    "window": Window(),
    "summary": Summary(),
    "hierarchical": Hierarchical(),
}
