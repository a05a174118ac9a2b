"""The facts of a person's memory: what was recalled, learned and forgotten, by ids. None of its words are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts
from mainspring.core.facts.marks import Keep


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFacts(Facts):
    """``action`` is recalled, learned, edited, forgotten or consent (``memories`` then has the decision). ``tokens``
    are those that recalled facts took of a prompt."""

    EVENT: ClassVar[str] = "memory"

    action: Keep[str]
    memories: Keep[Sequence[str]] = ()
    superseded: Keep[Sequence[str]] = ()
    tokens: Keep[int] = 0
    session_only: Keep[bool] = False
