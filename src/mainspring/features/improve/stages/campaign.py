"""A campaign as it is recorded, and what a stage says about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mainspring.features.improve.policy.policy import Policy, Rung
from mainspring.training.ports import Candidate, CandidateKind

Stage = Literal[
    "exporting", "training", "comparing", "attacking", "waiting", "shadow", "canary", "promoting", "watching",
    "withdrawing", "undoing", "promoted", "refused", "rolled back", "stopped",
]  # fmt: skip
"""``waiting`` is for a person. ``withdrawing`` and ``undoing`` take away what was given, after it was decided so."""
OVER: tuple[Stage, ...] = ("promoted", "refused", "rolled back", "stopped")
PROMOTED: tuple[Stage, ...] = ("watching", "promoted")
ERASED = "data of people that it is made of was erased"
ORDERED = "ordered"
"""The note of a campaign that a person began: it tries again what was taken back."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """``number`` counts its transitions. ``notes`` are what its stages left for the next: ids of an export, of a run
    and so on. ``rungs`` are what came of each recipe so far. Times are Unix seconds. ``problem``: why its policy cannot
    be read any more; empty: it can."""

    tenant: str
    id: str
    application: str
    policy_version: int
    policy: Policy
    trigger: str
    stage: Stage
    number: int = 0
    rung: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)
    rungs: Sequence[Mapping[str, Any]] = ()
    reason: str = ""
    key_id: str = ""
    groups: frozenset[str] = frozenset()
    seconds: float = 0.0
    created_at: float = 0.0
    entered_at: float = 0.0
    ended_at: float | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """What orders of this rung are asked for under."""
        return f"{self.id}/{self.rung}"

    @property
    def recipe(self) -> Rung:
        return self.policy.rungs[self.rung]

    @property
    def candidate(self) -> Candidate | None:
        """What this rung made; None: nothing yet."""
        found = self.notes.get("candidate")
        if not found:
            return None
        kind: CandidateKind = found["kind"]
        return Candidate(kind, self.application, found["value"], found.get("version", ""))

    @property
    def candidate_id(self) -> str:
        """The same's id; it stays when the value is gone, after an erasure."""
        return str((self.notes.get("candidate") or {}).get("id", ""))

    @property
    def trial(self) -> str:
        """The name of the trial of this rung."""
        return f"{self.id}-{self.rung}"

    @property
    def made(self) -> Candidate:
        """The same where a stage before has made it."""
        found = self.candidate
        assert found is not None, f"{self.id} is {self.stage} without a candidate"
        return found


@dataclass(frozen=True, slots=True)
class Move:
    """A transition. ``notes`` are added to the campaign's; a value None takes one away. ``outcome`` ends the rung with
    this word; ``seconds`` of training are added. ``by`` is the key that decided; empty: the rule."""

    stage: Stage
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    rung: int | None = None
    seconds: float = 0.0
    by: str = ""


def refused(
    _: Campaign, reason: str, figures: Mapping[str, float] | None = None, notes: Mapping[str, Any] | None = None
) -> Move:
    """The rung is refused: what it made gets no traffic any more, and the next one is tried if there is one. ``notes``
    say where its figures come from."""
    return Move("withdrawing", reason, figures or {}, {**(notes or {}), "then": "next"}, outcome="refused")


def taken_back(campaign: Campaign, reason: str, figures: Mapping[str, float] | None = None, *, person: bool) -> Move:
    """Refused by a ``person``, or by what the traffic showed: it is remembered (``stages.taken_back``)."""
    notes = {"then": "next", "taken_back": True, "by_person": person}
    return replace(refused(campaign, reason, figures), notes=notes)


def following(campaign: Campaign) -> Move:
    """After a rung that was refused."""
    if campaign.notes.get("then") == "stop":
        return Move("stopped", campaign.reason)
    if campaign.rung + 1 < len(campaign.policy.rungs):
        # All rungs are compared on the same examples.
        cleared = {name: None for name in campaign.notes if name not in ("held_out", ORDERED)}
        recipe = campaign.policy.rungs[campaign.rung + 1].recipe
        return Move("exporting", f"{recipe} is next", notes=cleared, rung=campaign.rung + 1)
    return Move("refused", campaign.reason)
