"""A red team that made no attack, or none that reached its target, has found nothing out, and says so by its status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainspring.features.redteam import cmd
from mainspring.features.redteam.attacks import Attack
from mainspring.features.redteam.cmd import _trouble
from mainspring.features.redteam.judge import Outcome
from mainspring.features.redteam.run import Result, Round
from tests.cli.command import Command

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


class Silent:
    """A target that fails, or is sent nothing, without a model."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = outcomes

    async def __call__(self, *_: object) -> list[Round]:
        return [Round([Result(ATTACK, each, f"model_not_found: {each}") for each in self._outcomes])]


@pytest.mark.parametrize(
    ("outcomes", "status", "code"),
    [
        ((), 1, "nothing_measured"),
        (("failed", "failed"), 1, "nothing_measured"),
        (("failed", "resisted"), 0, ""),
        (("blocked",), 0, ""),
        (("blocked", "succeeded"), 1, "attack_succeeded"),
    ],
)
def test_the_status_says_what_was_found(
    outcomes: tuple[Outcome, ...], status: int, code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cmd, "_rounds", Silent(*outcomes))
    monkeypatch.setattr(cmd, "_settings", lambda settings, *_: settings)
    command = Command(tmp_path)
    done = command("redteam", "smollm2-135m-instruct", "--categories", "plain", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"]) == (status, status == 0)
    assert {each["code"] for each in told["errors"]} == ({code} if code else set())
    # The same without JSON: a person sees why.
    plain = command("redteam", "smollm2-135m-instruct", "--categories", "plain")
    assert plain.returncode == status
    if code == "nothing_measured":
        assert plain.stderr.startswith("mainspring: ")
