"""Policies and campaigns as JSON."""

from __future__ import annotations

from typing import Any

from mainspring.features.improve.policy.store import Policed
from mainspring.features.improve.stages.campaign import Campaign

ORDER = (
    "exporting", "training", "comparing", "attacking", "waiting", "shadow", "canary", "promoting", "watching",
)  # fmt: skip


def policy_body(found: Policed) -> dict[str, Any]:
    """A policy with its version."""
    return {
        "object": "improve.policy",
        "application": found.application,
        "version": found.version,
        "enabled": found.enabled,
        "created_at": found.created_at,
        "policy": found.policy.model_dump(mode="json"),
    }


def campaign_body(found: Campaign) -> dict[str, Any]:
    """A campaign: where it stands among the stages that its policy has, why, and what came of each recipe."""
    recipe = found.recipe
    names = ("export", "trained_on", "job", "comparison", "regression", "approval", "trial")
    return {
        "id": found.id,
        "object": "improve.campaign",
        "application": found.application,
        "policy_version": found.policy_version,
        "trigger": found.trigger,
        "stage": found.stage,
        "stages": stages_body(found),
        "reason": found.reason,
        "rung": found.rung,
        "recipe": recipe.recipe,
        "kind": recipe.kind,
        "candidate": found.candidate_id or None,
        "version": None if found.candidate is None else found.candidate.version or None,
        "rungs": [dict(each) for each in found.rungs],
        "made_with": {name: found.notes[name] for name in names if found.notes.get(name)},
        "seconds": found.seconds,
        "created_at": found.created_at,
        "entered_at": found.entered_at,
        "ended_at": found.ended_at,
    }


def stages_body(found: Campaign) -> list[dict[str, Any]]:
    """The stages that the policy has, in their order, with where the campaign is."""
    policy = found.policy
    asked = {
        "attacking": policy.offline.red_team is not None,
        "waiting": policy.gate,
        "shadow": policy.shadow is not None,
        "canary": policy.canary is not None,
    }
    return [{"stage": each, "now": each == found.stage} for each in ORDER if asked.get(each, True)]
