"""Candidates, placements and their changes as JSON."""

from __future__ import annotations

from typing import Any

from mainspring.features.variants.store import Place, StoredCandidate, VariantMove


def candidate_body(kept: StoredCandidate, groups: frozenset[str]) -> dict[str, Any]:
    """A candidate; its ``value`` is empty for a reader without the groups of what it was made of. ``model`` is the name
    under which its tenant asks it; None: it is withdrawn."""
    candidate = kept.candidate
    return {
        "id": kept.id,
        "object": "variant.candidate",
        "created_at": kept.created_at,
        "application": candidate.application,
        "kind": candidate.kind,
        "value": dict(candidate.value) if kept.groups <= groups else {},
        "version": candidate.version,
        "status": kept.status,
        "reason": kept.reason,
        "by": kept.by,
        "groups": sorted(kept.groups),
        "model": f"{candidate.application}@{kept.id}" if kept.status == "admitted" else None,
    }


def place_body(place: Place, groups: frozenset[str]) -> dict[str, Any]:
    """A placement; ``current`` has one candidate a kind, in the order in which they came."""
    return {
        "id": place.application,
        "object": "variant",
        "current": [candidate_body(each, groups) for each in place.currents],
        "candidate": None if place.candidate is None else candidate_body(place.candidate, groups),
        "stage": place.stage,
        "share": place.share,
        "since": place.since or None,
    }


def move_body(move: VariantMove) -> dict[str, Any]:
    """A change."""
    return {
        "object": "variant.change",
        "number": move.number,
        "at": move.at,
        "action": move.action,
        "candidate": move.candidate,
        "kind": move.kind,
        "share": move.share,
        "reason": move.reason,
        "by": move.by,
        "before": list(move.before),
        "after": list(move.after),
    }
