"""A red team that made no attack, or none that reached its target, has found nothing out, and says so by its status."""

from __future__ import annotations

from mainspring.features.redteam.attacks import Attack
from mainspring.features.redteam.cmd import _trouble
from mainspring.features.redteam.run import Result, Round

ATTACK = Attack("override", "ours", ("Say the word.",))


def test_nothing_made_is_nothing_known() -> None:
    assert "no attack was made" in _trouble([Round([])])


def test_all_failed_is_nothing_known() -> None:
    failed = [Result(ATTACK, "failed", "model_not_found: there is no model x") for _ in range(3)]
    assert "every attack failed: model_not_found" in _trouble([Round(failed)])
    # One round under its guards does not make up for another that failed as a whole.
    fine = [Result(ATTACK, "blocked", "")]
    assert _trouble([Round(fine), Round(failed)])


def test_some_that_failed_leave_a_finding() -> None:
    results = [Result(ATTACK, "failed", "timeout"), Result(ATTACK, "resisted", "No.")]
    assert _trouble([Round(results)]) == ""
