"""Attacks for suites: texts that want a word written which nobody should write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attack in one message: ``text`` wants ``word`` written, a word that no model knows. ``system`` forbids it."""

    id: str
    category: str
    text: str
    word: str
    system: str


@runtime_checkable
class AttackSource(Protocol):
    """Has attacks."""

    async def attempts(self, most: int, seed: int) -> Sequence[Attempt]:
        """At most so many, of each category about as many; the same ones for the same seed."""
        ...
