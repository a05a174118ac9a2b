"""The types of a working context: its material, its budget, and what was made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mainspring.core.types import Message
from mainspring.serving.memory.recollection import Remembered

Tier = Literal["instruction", "memory", "notes", "recalled", "session", "tools", "artifacts", "question"]
"""Where tokens come from: ``notes`` stand for turns of the session that are not shown, ``recalled`` are those of them
that bear on the question, ``artifacts`` are results that are shown in part; ``question`` is the user's latest
message."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a context can be made of.

    ``messages`` are the conversation, oldest first: turns of the session, the user's latest message, and the calls and
    results since. ``remembered`` are facts about the user, best first. ``notes`` say what turns before ``messages``
    were about. ``secret`` makes delimiters that no text can guess; equal secrets make equal ones, so that a run that is
    replayed asks the same (a run's id will do).
    """

    instruction: str
    messages: tuple[Message, ...]
    remembered: tuple[Remembered, ...] = ()
    notes: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class ContextBudget:
    """How many tokens a context may have, and how they are shared.

    ``memory``, ``notes``, ``recalled`` and ``result`` (one tool result) are shares of ``tokens`` that those take at
    most. If more than ``remind_after`` tokens follow the user's message, it is repeated at the end: models read the
    middle worst (Liu et al. 2024, "Lost in the Middle"; ``benchmarks/context_positions.py``).
    """

    tokens: int
    memory: float = 0.15
    notes: float = 0.1
    recalled: float = 0.2
    result: float = 0.25
    remind_after: int = 1500


@dataclass(frozen=True, slots=True)
class Assembled:
    """The messages for the model, and the tokens that each tier has in them. ``remembered`` are the ids of the facts
    that are shown, ``left_out`` counts messages that notes stand for, ``handles`` name the artifacts that are shown in
    part."""

    messages: tuple[Message, ...]
    tokens: Mapping[Tier, int]
    remembered: tuple[str, ...] = ()
    left_out: int = 0
    handles: tuple[str, ...] = field(default=())

    @property
    def total(self) -> int:
        return sum(self.tokens.values())

    def plain(self) -> dict[str, Any]:
        """What a trace tells of it, as JSON values; no text is among them."""
        return {
            "tokens": {tier: count for tier, count in self.tokens.items() if count},
            "remembered": list(self.remembered),
            "left_out": self.left_out,
            "artifacts": list(self.handles),
        }
