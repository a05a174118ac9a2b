"""Figures of whole answers, the readers' judgements of them, and arms of an ablation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import answer_ablation
import document_answers
import second_company
from _asked import figures
from mainspring.core.errors import InvalidRequest
from mainspring.core.settings import Settings
from mainspring.features.evaluate.answers import ScoredAnswer, ShownAnswer, as_json, score
from mainspring.features.evaluate.sets.collections import Query


def answer(name: str, text: str, gold: str = "45 days") -> ScoredAnswer:
    query = Query(name, "How long?", {"a.md": 1}, (gold,))
    return score(query, ShownAnswer(text, ("a.md",), (text,), False, 0.1, 0.2))


def test_figures_have_their_goal_interval_and_direction() -> None:
    found = figures([answer("a", "45 days"), answer("b", "46 days")], {"answer contained": (0.8, 0.9)}, "mine: ")
    held = found["mine: answer contained"]
    assert (held.value, held.floor, held.aim, held.better) == (0.5, 0.8, 0.9, "higher")
    assert held.against == "1 of 2, [0.095, 0.905]"
    assert found["mine: answerable refused"].better == "lower"
    assert found["mine: words of an answer"].value == 2


def test_what_two_readers_said_comes_with_their_agreement(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text('{"id": "a", "readable": 2}\n{"id": "b", "readable": 1, "false": true}\n')
    other.write_text('{"id": "a", "readable": 2}\n{"id": "b", "readable": 2}\n')
    found = second_company.read([one, other])
    assert (found["readable, reader 1"].value, found["readable, reader 2"].value) == (1.5, 2)
    assert found["false statements, reader 1"].value == 0.5
    assert found["readers agree"].value == 0.5
    assert second_company.read([]) == {}


def test_long_answers_do_not_count_as_short() -> None:
    long = "45 days " + "and more " * document_answers.SHORT
    found = document_answers.short([answer("a", "45 days"), answer("b", long)])
    assert found["answer contained in at most 60 words"].value == 0.5
    assert found["answers with a number that has no source"].value == 0


def test_an_arm_is_the_defaults_with_what_it_names() -> None:
    settings = answer_ablation.changed(Settings(), {"rag.max_sentences": 1, "models.reranker": ""})
    assert (settings.rag.max_sentences, settings.models.reranker) == (1, "")
    assert settings.rag.top_k == Settings().rag.top_k
    with pytest.raises((InvalidRequest, ValueError)):
        answer_ablation.changed(Settings(), {"rag.max_sentences": 0})
    for arm in answer_ablation.ARMS.values():
        answer_ablation.changed(Settings(), arm)


def test_arms_are_compared_question_by_question() -> None:
    def kept(*texts: str) -> dict[str, Any]:
        return as_json("mine", [answer(str(number), text) for number, text in enumerate(texts)], {})

    arms = {"defaults": kept("46 days", "46 days", "45 days"), "other": kept("45 days", "45 days", "45 days")}
    found = answer_ablation.figures("mine", arms)
    assert found["mine: other"].value == 1
    assert "2/0 won/lost" in found["mine: other"].against
    assert "won" not in found["mine: defaults"].against
