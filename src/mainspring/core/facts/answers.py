"""The facts of an answer, and of a replayed answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from mainspring.core.facts.base import Facts, Part
from mainspring.core.facts.marks import Erase, Keep, Served, Unexported

GIVEN_AGAIN = ("hit", "semantic")
"""Values of ``cache`` for replayed answers: to the same question, or to an equivalent one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFacts(Part):
    """The prompt of the registry that an answer was asked under, and what was ``wanted`` of its versions."""

    name: Keep[str]
    version: Keep[int | str | None]
    sha256: Erase[str]
    wanted: Erase[str]
    default: Keep[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFacts(Facts):
    """An answer: ``requested`` by this name, given by this ``model``, with its cost. ``sentences`` of it were checked,
    and no source supports ``unsupported`` of them. ``groups`` belong to an asker without a key; ``regions`` are those
    that the request and its key accept. ``variant`` is the candidate that took the place of what the settings say.
    From version 2 on, ``sampling`` is stored."""

    VERSION: ClassVar[int] = 2

    status: Keep[str]
    operation: Keep[str]
    requested: Served[str]
    model: Served[str]
    key_id: Keep[str]
    cache: Keep[str]
    prompt_tokens: Keep[int]
    completion_tokens: Keep[int]
    spent_tokens: Keep[int]
    cost_nanousd: Keep[int]
    finish: Keep[Sequence[str | None]]
    citations: Keep[int]
    missing: Keep[int]
    conflicts: Keep[int]
    duration_s: Keep[float | None]
    ttft_s: Keep[float | None]
    answered: Keep[bool | None] = None
    sentences: Keep[int | None] = None
    unsupported: Keep[int | None] = None
    saved_nanousd: Keep[int] = 0
    arm: Keep[str] = ""
    variant: Keep[str] = ""
    replica: Unexported[Keep[str]] = ""
    instead: Keep[str] = ""
    groups: Erase[Sequence[str] | None] = None
    regions: Erase[Sequence[Sequence[str]] | None] = None
    session_id: Erase[str | None] = None
    previous: Erase[str | None] = None
    prompt: Keep[PromptFacts | None] = None
    sampling: Erase[Mapping[str, Any] | None] = None
    user: Erase[str | None] = None
    error: Keep[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFacts(GivenFacts):
    """An answer to a user."""

    EVENT: ClassVar[str] = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFacts(GivenFacts):
    """An answer to a replayed request; ``skipped`` ones have a ``message`` with the reason, and the changes."""

    EVENT: ClassVar[str] = "replay"

    message: Erase[str] = ""
    changes: Erase[Mapping[str, Any] | None] = None

    @classmethod
    def skipped(cls, key_id: str, requested: str, error: str, message: str, changes: Mapping[str, Any]) -> ReplayFacts:
        """For a request that could not be replayed: nothing was spent."""
        nothing = cls.from_json({})
        return replace(
            nothing,
            status="skipped",
            key_id=key_id,
            requested=requested,
            error=error,
            message=message,
            changes=changes,
        )
