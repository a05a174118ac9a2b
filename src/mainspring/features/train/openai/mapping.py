"""OpenAI's methods and hyperparameters as recipes and their options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import Unsupported
from mainspring.training.recipe import Recipe

METHODS = {"supervised": "sft", "dpo": "dpo", "reinforcement": "grpo"}
"""The recipe of each method."""
_NAMES: Mapping[str, tuple[str, ...]] = {
    "n_epochs": ("epochs",),
    "batch_size": ("batch", "batch_size"),
    "learning_rate_multiplier": ("learning_rate", "rate"),
    "beta": ("beta",),
    "eval_interval": ("evaluate_every",),
    "eval_samples": ("tested",),
    "compute_multiplier": ("compute_multiplier",),
}
"""The options of recipes that a hyperparameter may be. A multiplier multiplies the recipe's own default."""


def options_of(recipe: Recipe, given: Mapping[str, Any], param: str) -> dict[str, Any]:
    """The recipe's options. Raises ``Unsupported`` for what it does not have."""
    # OpenAI learns all answers of a conversation, but those with the weight 0.
    made: dict[str, Any] = {"turns": "all"} if "turns" in recipe.options.model_fields else {}
    for name, value in given.items():
        if value in (None, "auto"):
            continue
        option = next((each for each in _NAMES[name] if each in recipe.options.model_fields), None)
        if option is None:
            raise Unsupported(
                f"the recipe {recipe.name} has no such choice", remedy="Leave it out", param=f"{param}.{name}"
            )
        made[option] = value
        if name.endswith("_multiplier"):
            made[option] = value * recipe.options.model_fields[option].default
    return made


def fields_of(recipe: Recipe, param: str) -> dict[str, str]:
    """OpenAI's fields by what the service calls them."""
    grader = "method.reinforcement.grader"
    found = {"base": "model", "recipe": "method.type", **dict.fromkeys(("options.rewards", "options.right"), grader)}
    for name in _NAMES:
        found |= {f"options.{each}": f"{param}.{name}" for each in _NAMES[name] if each in recipe.options.model_fields}
    return found


_SAMPLE = re.compile(r"\{\{\s*sample\.output_text\s*\}\}")
_ITEM = re.compile(r"\{\{\s*item\.(\w[\w-]{0,63})\s*\}\}")


def _compared(grader: Mapping[str, Any], where: str) -> str:
    """The field of a row with its right answers; empty: the grader names none. Raises ``Unsupported`` for templates
    that compare anything else."""
    if not _SAMPLE.fullmatch(str(grader.get("input") or "{{sample.output_text}}")):
        raise Unsupported(
            "a grader compares the text of an answer here",
            remedy="Write {{sample.output_text}}",
            param=f"{where}.input",
        )
    if not grader.get("reference"):
        return ""
    found = _ITEM.fullmatch(str(grader["reference"]))
    if found is None:
        raise Unsupported(
            "a grader compares an answer with one field of its row here",
            remedy="Write {{item.NAME}}, where NAME is a field of each row",
            param=f"{where}.reference",
        )
    return found[1]


_SIMILAR = {"bleu": "bleu", "meteor": "meteor", "rouge_1": "rouge-1", "rouge_2": "rouge-2", "rouge_l": "rouge-l"}


def scorer_of(grader: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The options of a recipe that have a grader's score as reward: the scorer, and the field of a row that it compares
    an answer with. Raises ``Unsupported``."""
    kind, where = grader.get("type"), "method.reinforcement.grader"
    name, what = "", kind
    if kind == "string_check":
        what = f"{kind} by {grader.get('operation')}"
        name = "exact" if grader.get("operation") == "ieq" else ""
    elif kind == "text_similarity":
        what = f"{kind} by {grader.get('evaluation_metric')}"
        name = _SIMILAR.get(str(grader.get("evaluation_metric")), "")
    if not name:
        raise Unsupported(
            f"a grader {what} does not run while a model is trained",
            remedy=f"Use string_check by ieq, text_similarity by {', '.join(_SIMILAR)}, or name any scorer as a reward "
            "with POST /v1/training/jobs",
            param=where,
        )
    right = _compared(grader, where)
    for option in ("rewards", "scorers"):
        if option in recipe.options.model_fields:
            return {option: [{"name": name}], **({"right": right} if right else {})}
    raise Unsupported(f"the recipe {recipe.name} takes no grader", remedy="Leave it out", param=where)
