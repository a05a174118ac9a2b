"""Scores that are known of every answer at once."""

from __future__ import annotations

from typing import Any

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.settings import Settings
from mainspring.evaluation.realtime import checked, scores


def answer(**facts: Any) -> AnswerFacts:
    return AnswerFacts.from_json({"status": "completed", "finish": ["stop"], **facts})


def guard(name: str, kind: str, stage: str = "output", score: float | None = None) -> GuardFacts:
    return GuardFacts(stage=stage, role="assistant", guard=name, action="flag", kind=kind, count=1, score=score)


def test_what_the_guards_found_are_scores_and_what_nobody_looks_at_has_none() -> None:
    measures = checked(Settings().guards)
    assert measures == {"format", "personal_data"}
    assert scores(answer(), [], measures) == {"format": 1.0, "personal_data": 1.0}
    found = [guard("pii_output", "iban"), guard("pii_output", "secret"), guard("pii_input", "email", "input")]
    assert scores(answer(finish=["length"]), found, measures) == {"format": 0.0, "personal_data": 0.0}
    assert scores(answer(status="failed", error="answer_unfit"), [], ["format"]) == {"format": 0.0}
    assert scores(answer(), [guard("answer", "toxicity", score=0.9)], []) == {"toxicity": 1.0 - 0.9}
    assert scores(answer(), [guard("answer", "relevancy", score=0.1)], []) == {}


def test_one_policy_that_looks_is_enough() -> None:
    policies = {"strict": {"answers": {"toxicity": "flag"}, "applications": ["support"]}}
    settings = Settings.model_validate({"guards": {"pii_output": "off", "policies": policies}})
    assert checked(settings.guards) == {"format", "toxicity"}
