"""Decides whether routing pays for a pair of models: without a graded router for the pair, the large model answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.core.settings import AutoSettings
from mainspring.serving.route.auto.classifier import Classifier

LEAST_AUROC = 0.6
"""Below it a classifier is hardly better than a coin (docs/guides/auto.md)."""


def why_off(settings: AutoSettings, small: str, large: str, classifier: Classifier | None = None) -> str:
    """The reason for which ``auto`` does not route between ``small`` and ``large``; empty if it does.

    Any setting in the section `serving.auto` is a decision of the operator and is followed. A classifier belongs to one
    small model; one whose own card shows that it predicts nothing is not used.
    """
    if small == large:
        return ""
    if not settings.model_fields_set:
        return f"no router is graded for {small} and {large}, and serving.auto sets none"
    if classifier is None:
        return ""
    if classifier.model != small:
        return f"the classifier was fitted for {classifier.model}, not for {small}"
    found = auroc(classifier.card)
    if found is not None and found < LEAST_AUROC:
        return f"the classifier tells good answers from bad hardly better than a coin (AUROC {found:.2f})"
    return ""


def auroc(card: Mapping[str, Any]) -> float | None:
    """The value of a classifier on prompts that it was not fitted on, over all sources; None if its card does not give
    it."""
    held: Mapping[str, Any] = card.get("held_out") or {}
    if "all" in held:
        pooled = held["all"].get("auroc")
        return float(pooled[0]) if pooled else None
    values = [float(each["value"]) for label, each in held.items() if label.endswith("AUROC")]
    return max(values, default=None)
