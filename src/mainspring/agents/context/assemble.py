"""Assembles a working context: the tiers within a budget, with what matters at the start and at the end.

The order is: the instruction, notes on turns that are not shown, the latest turns, older turns that bear on the
question, what is known of the user, the user's message, and the calls and results since. What stays the same from call
to call comes first, so that engines need not read it again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from mainspring.agents.context.artifacts import Artifacts
from mainspring.agents.context.compact import compacted, found_again, grouped
from mainspring.agents.context.tiers import Assembled, ContextBudget, Material, Tier
from mainspring.core.types import Message
from mainspring.guards.rewrite.spotlight import Spotlight
from mainspring.serving.memory.base import Count
from mainspring.serving.memory.recollection import Remembered
from mainspring.serving.memory.remember import KNOWN

NOTES = "Notes on the earlier part of this conversation, for reference:\n"
NOTED = "Noted."
RECALLED = "From earlier in this conversation, for reference:\n"
REMINDER = "Go on with what the user asked:\n"
_SYSTEM = ("system", "developer")
# The least that is shown of a result's beginning and end, in characters; so much more than its share is not cut.
_HANDLE_ONLY = 80


@dataclass(slots=True)
class _Count:
    """Counts by tier."""

    count: Count
    tokens: dict[Tier, int] = field(default_factory=dict)

    async def of(self, messages: Sequence[Message]) -> int:
        return sum(await self.count(messages)) if messages else 0

    async def add(self, tier: Tier, messages: Sequence[Message]) -> int:
        found = await self.of(messages)
        self.tokens[tier] = self.tokens.get(tier, 0) + found
        return found


async def assemble(
    material: Material, budget: ContextBudget, count: Count, artifacts: Artifacts | None = None
) -> Assembled:
    """The context of one call. Long tool results go to ``artifacts`` (None: they are cut only).

    The instruction and the user's message are always whole; everything else makes room for them. Nothing is raised if
    these two alone exceed the budget: the engine says so.
    """
    counted = _Count(count)
    artifacts = artifacts if artifacts is not None else Artifacts()
    spoken = [each for each in material.messages if each.role not in _SYSTEM]
    told = [each.content for each in material.messages if each.role in _SYSTEM and each.content]
    groups = grouped(spoken)
    now, older = (groups[-1], groups[:-1]) if groups else ([], [])
    light = Spotlight.over(material.secret.encode(), [now[0].content if now else ""])

    memory, shown = await _memory(material.remembered, light, counted, round(budget.tokens * budget.memory))
    system = "\n\n".join(part for part in (material.instruction, *told, light.instruction if memory else "") if part)
    head = [Message("system", system)] if system else []
    left = budget.tokens - await counted.add("instruction", head)
    question = now[:1]
    left -= await counted.add("question", question)
    if memory:
        left -= await counted.add("memory", [Message("user", memory)])
    trail = await _steps(now[1:], artifacts, counted, left, round(budget.tokens * budget.result))
    left -= counted.tokens["tools"] + counted.tokens["artifacts"]
    session, dropped = await _session(older, material, counted, left, budget)
    if question:
        said = f"{memory}\n\n{question[0].content}" if memory else question[0].content
        question = [dataclasses.replace(question[0], content=said + _made(trail.omitted))]
    messages = [*head, *session, *question, *trail.shown]
    if trail.shown and trail.shown[-1].role == "tool" and await counted.of(trail.shown) > budget.remind_after:
        reminder = [Message("user", REMINDER + now[0].content)]
        await counted.add("question", reminder)
        messages += reminder
    hidden = dropped + len(trail.omitted)
    return Assembled(tuple(messages), dict(counted.tokens), shown, hidden, tuple(trail.handles))


async def _memory(
    remembered: Sequence[Remembered], light: Spotlight, counted: _Count, most: int
) -> tuple[str, tuple[str, ...]]:
    """The facts within ``most`` tokens between delimiters, in the order of their days, and their ids."""
    chosen: list[Remembered] = []
    for each in remembered:
        if (cost := await counted.of([Message("user", each.line)])) <= most:
            most -= cost
            chosen.append(each)
    if not chosen:
        return "", ()
    lines = "\n".join(each.line for each in sorted(chosen, key=lambda each: each.at))
    return KNOWN + light.wrap(lines, "memory"), tuple(each.id for each in chosen)


@dataclass(slots=True)
class _Trail:
    """The calls and results of a turn: those shown, the handles of those that are shown in part, those left out."""

    shown: list[Message] = field(default_factory=list)
    handles: list[str] = field(default_factory=list)
    omitted: list[Message] = field(default_factory=list)


async def _steps(said: Sequence[Message], artifacts: Artifacts, counted: _Count, left: int, most: int) -> _Trail:
    """The calls and results of this turn within ``left`` tokens: the latest results as whole as they may be, older ones
    by their handles, the oldest calls not at all."""
    trail = _Trail()
    names = {call.id: call.name for each in said for call in each.tool_calls}
    counted.tokens |= {"tools": 0, "artifacts": 0}
    for unit in reversed(_units(said)):
        for limit in (most, 0):
            cut = [await _cut(each, names, artifacts, counted, limit) for each in unit]
            cost = await counted.of([message for message, _ in cut])
            if cost <= left:
                break
        if trail.omitted or (trail.shown and cost > left):
            trail.omitted[:0] = unit
            continue
        left -= cost
        trail.shown[:0] = [message for message, _ in cut]
        trail.handles[:0] = [handle for _, handle in cut if handle]
        await counted.add("tools", [message for message, handle in cut if not handle])
        await counted.add("artifacts", [message for message, handle in cut if handle])
    return trail


def _made(omitted: Sequence[Message]) -> str:
    """A line on calls that are not shown, so that they are not made again."""
    calls = [f"{call.name}({call.arguments[:_HANDLE_ONLY]})" for each in omitted for call in each.tool_calls]
    return f"\n\n(Calls made already, no longer shown: {', '.join(calls[-8:])}.)" if calls else ""


def _units(trail: Sequence[Message]) -> list[list[Message]]:
    """An assistant's message with the results of its calls: neither makes sense without the other."""
    units: list[list[Message]] = []
    for each in trail:
        if each.role == "tool" and units:
            units[-1].append(each)
        else:
            units.append([each])
    return units


async def _cut(
    message: Message, names: dict[str, str], artifacts: Artifacts, counted: _Count, most: int
) -> tuple[Message, str]:
    """A tool's result of more than ``most`` tokens by its beginning and end, with the handle of the whole."""
    if message.role != "tool" or (cost := await counted.of([message])) <= most + _HANDLE_ONLY:
        return message, ""
    made = artifacts.put(message.name or names.get(message.tool_call_id or "", "tool"), message.content)
    characters = max(_HANDLE_ONLY, len(message.content) * most // max(cost, 1))
    begin, end = message.content[: characters * 2 // 3].rstrip(), message.content[-(characters // 3) :].lstrip()
    told = f"[a part of {made.handle}, {len(message.content)} characters in all: read_artifact reads more of it]"
    return dataclasses.replace(message, content=f"{begin}\n{told}\n{end}"), made.handle


async def _session(
    older: Sequence[Sequence[Message]], material: Material, counted: _Count, left: int, budget: ContextBudget
) -> tuple[list[Message], int]:
    """The latest turns of the session that fit, and notes on the others, with those of them that bear on the question:
    notes alone lose most of a long conversation."""
    costs = [await counted.of(group) for group in older]
    most_notes, most_recalled = round(budget.tokens * budget.notes), round(budget.tokens * budget.recalled)
    room = left if sum(costs) <= left and not material.notes else left - most_notes - most_recalled
    begin = len(older)
    while begin and room - costs[begin - 1] >= 0:
        begin -= 1
        room -= costs[begin]
    shown = [each for group in older[begin:] for each in group]
    hidden = older[:begin]
    noted: list[Message] = []
    recalled: list[Message] = []
    if (hidden or material.notes) and left > 0:
        frame = await counted.of([Message("user", NOTES), Message("assistant", NOTED)])
        text = await compacted(hidden, material.notes, counted.count, min(most_notes, left) - frame)
        noted = [Message("user", NOTES + text), Message("assistant", NOTED)] if text else []
        question = next((each.content for each in reversed(material.messages) if each.role == "user"), "")
        lines = await found_again(hidden, question, counted.count, min(most_recalled, left) - frame)
        recalled = [Message("user", RECALLED + lines), Message("assistant", NOTED)] if lines else []
    await counted.add("notes", noted)
    await counted.add("recalled", recalled)
    await counted.add("session", shown)
    return [*noted, *shown, *recalled], sum(len(group) for group in hidden)
