"""Rows are taken in each form that the guide of a recipe names."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.features.train.data.kinds import problem
from mainspring.training.chat.recipe_list import RECIPES as CHAT
from mainspring.training.own.recipe_list import RECIPES as OWN

# Plugins of these tests have other recipes of these names.
READS = {each.name: each.reads for each in (*CHAT, *OWN)}
USER = [{"role": "user", "content": "Where is it?"}]
TALK = [*USER, {"role": "assistant", "content": "At the river."}]
PROMPTS: tuple[dict[str, Any], ...] = (
    {"prompt": "Where is it?"},
    {"prompt": USER, "references": ["At the river."]},
    {"messages": USER, "reference_answer": "At the river."},
)
PAIRS: tuple[dict[str, Any], ...] = (
    {"prompt": "Where is it?", "completion": "At the river."},
    {"prompt": USER, "completion": TALK[1:]},
    {"messages": TALK},
)


@pytest.mark.parametrize(
    ("recipe", "rows"),
    [
        ("sft", PAIRS),
        ("distil", (*PAIRS, *PROMPTS)),
        ("grpo", (*PAIRS, *PROMPTS)),
        ("ppo", (*PAIRS, *PROMPTS)),
        ("ppo-own", PROMPTS),
        ("finetune-own", (*PAIRS, {"source": "one", "target": "uno"}, {"question": "a", "answer": "b"})),
        ("pretrain", ({"text": "One."}, *PAIRS)),
    ],
)
def test_rows_of_the_guide_are_taken(recipe: str, rows: tuple[dict[str, Any], ...]) -> None:
    assert [problem(READS[recipe], row) for row in rows] == [""] * len(rows)


@pytest.mark.parametrize(
    ("recipe", "row", "told"),
    [
        ("sft", {"prompt": "Where is it?"}, "messages must be a list"),
        ("sft", {"prompt": " ", "completion": "b"}, "prompt is empty (a row of the kind completion)"),
        ("sft", {"messages": USER}, "must end with a message of the assistant"),
        ("grpo", {"prompt": ""}, "prompt is empty (a row of the kind prompt)"),
        ("grpo", {"messages": [*TALK[1:], {"role": "tool", "content": "3"}]}, "must end with"),
        ("grpo", {"words": "Where is it?"}, "a row of the kind"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(recipe: str, row: dict[str, Any], told: str) -> None:
    assert told in problem(READS[recipe], row)
