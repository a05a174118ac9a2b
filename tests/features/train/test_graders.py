"""Graders of OpenAI's reinforcement fine-tuning: honoured as they are, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import Unsupported
from mainspring.features.train.openai.mapping import options_of, scorer_of
from mainspring.training import recipes
from mainspring.training.chat.recipe_list import RECIPES as CHAT


@pytest.mark.parametrize(
    ("grader", "name"),
    [
        ({"type": "string_check", "operation": "ieq"}, "exact"),
        ({"type": "text_similarity", "evaluation_metric": "rouge_l"}, "rouge-l"),
        ({"type": "text_similarity", "evaluation_metric": "bleu"}, "bleu"),
    ],
)
def test_a_grader_is_the_reward(grader: dict[str, Any], name: str) -> None:
    (found,) = scorer_of(grader, recipes.find("grpo")).values()
    assert found == [{"name": name}]


@pytest.mark.parametrize(
    "grader",
    [
        {"type": "string_check", "operation": "like"},
        {"type": "string_check", "operation": "eq"},
        {"type": "text_similarity", "evaluation_metric": "fuzzy_match"},
        {"type": "text_similarity"},
        {"type": "python"},
    ],
)
def test_what_would_be_another_reward_is_refused(grader: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="ieq") as caught:
        scorer_of(grader, recipes.find("grpo"))
    assert caught.value.param == "method.reinforcement.grader"


def test_answers_are_compared_with_the_field_that_a_grader_names() -> None:
    grader = {
        "type": "string_check",
        "operation": "ieq",
        "input": "{{ sample.output_text }}",
        "reference": "{{item.reference_answer}}",
    }
    found = scorer_of(grader, recipes.find("grpo"))
    assert found == {"rewards": [{"name": "exact"}], "right": "reference_answer"}
    assert recipes.find("grpo").options.model_validate(found).right == "reference_answer"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "more",
    [
        {"input": "{{sample.output_json.city}}"},
        {"input": "{{item.question}}"},
        {"reference": "Paris"},
        {"reference": "{{item.a}} and {{item.b}}"},
        {"reference": "{{item.a.b}}"},
    ],
)
def test_templates_that_compare_anything_else_are_refused(more: dict[str, Any]) -> None:
    grader = {"type": "string_check", "operation": "ieq", **more}
    with pytest.raises(Unsupported) as caught:
        scorer_of(grader, recipes.find("grpo"))
    assert caught.value.param == f"method.reinforcement.grader.{next(iter(more))}"


def test_openai_learns_all_answers_of_a_conversation() -> None:
    sft, dpo = (next(each for each in CHAT if each.name == name) for name in ("sft", "dpo"))
    assert options_of(sft, {"n_epochs": 3, "batch_size": "auto"}, "hyperparameters") == {"turns": "all", "epochs": 3}
    assert options_of(dpo, {"beta": 0.2}, "hyperparameters") == {"beta": 0.2}
