"""The facts of decisions by guards and people about a text or a tool call. None contains the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts
from mainspring.core.facts.marks import Erase, Keep, Served


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFacts(Facts):
    """A guard's action on ``count`` findings of one ``kind``, with the ``stage`` and the author's ``role``. ``policy``
    is the version of the policy, ``score`` a detector's probability. The audit log seals digests of what an erasure
    leaves of these, so no mark here may change."""

    EVENT: ClassVar[str] = "guard"

    stage: Keep[str]
    role: Keep[str]
    guard: Keep[str]
    action: Keep[str]
    kind: Keep[str]
    count: Keep[int]
    application: Served[str] = ""
    policy: Keep[str] = ""
    score: Keep[float | None] = None
    dry_run: Keep[bool] = False
    collection: Erase[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFacts(Facts):
    """The outcome of a tool call that waits for approval; ``by`` is the key that decided."""

    EVENT: ClassVar[str] = "approval"

    action: Keep[str]
    tool: Erase[str]
    call_id: Erase[str]
    application: Served[str]
    sha256: Erase[str]
    by: Erase[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFacts(Facts):
    """A call of a tool by an agent, within a ``run`` of it: its ``outcome`` (``ok``, ``error``: the tool said why,
    ``failed``, ``timeout``, ``refused``: it was not called), attempts, milliseconds of all of them, and characters of
    the output, before and after it was filtered. ``sha256`` is of the arguments."""

    EVENT: ClassVar[str] = "tool"

    tool: Erase[str] = ""
    agent: Served[str] = ""
    run_id: Erase[str] = ""
    call_id: Erase[str] = ""
    outcome: Keep[str] = ""
    reason: Keep[str] = ""
    effect: Keep[str] = ""
    attempts: Keep[int] = 0
    ms: Keep[float] = 0.0
    characters: Keep[int] = 0
    shown: Keep[int] = 0
    sha256: Erase[str] = ""
