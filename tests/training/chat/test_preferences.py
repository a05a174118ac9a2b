"""Learning from preferences, thumbs and rewards on a tiny model: each moves what it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.training import checkpoints
from mainspring.training.recipe import Interrupted
from tests.training.chat.conftest import Start, talk

pytestmark = pytest.mark.torch
OPTIONS: dict[str, Any] = {
    "batch": 4,
    "accumulation": 1,
    "steps": 12,
    "learning_rate": 0.01,
    "length": 64,
    "precision": "fp32",
    "samples": 1,
    "answer_tokens": 8,
    "tested": 4,
}


def pair(number: int) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": f"what is {number} of it"}],
        "chosen": [{"role": "assistant", "content": "the mill is at the river"}],
        "rejected": [{"role": "assistant", "content": "no word of that"}],
    }


def thumb(number: int) -> dict[str, Any]:
    up = number % 2 == 0
    answer = "the mill is at the river" if up else "no word of that"
    return {"prompt": f"what is {number} of it", "completion": answer, "label": up}


PAIRS = (
    [pair(each) for each in range(16)],
    [pair(each) for each in range(20, 24)],
    [pair(each) for each in range(30, 36)],
)


def test_dpo_makes_the_preferred_answer_the_likelier_one(start: Start) -> None:
    run = start("dpo", {**OPTIONS, "beta": 0.5}, *PAIRS)
    made = run.do()
    assert made.makes == "adapter"
    assert made.figures["preferred"] == 1.0
    assert made.intervals["margin-change"][0] > 0
    assert "answer-words" in made.figures
    assert {"rewards_accuracies", "validation_loss"} <= {
        name for each in run.folder.metrics() for name in each["figures"]
    }


def test_kto_moves_liked_and_disliked_answers_apart(start: Start) -> None:
    sides = [[thumb(each) for each in range(first, first + 12)] for first in (0, 20, 40)]
    made = start("kto", {**OPTIONS, "beta": 0.5}, *sides).do()
    assert made.figures["disliked-loss-change"] > made.figures["loss-change"]
    with pytest.raises(NothingLearned, match="one way"):
        start("kto", OPTIONS, [thumb(2 * each) for each in range(12)], name="one").do()
    with pytest.raises(InvalidRequest, match="train:1: a thumb needs"):
        start("kto", OPTIONS, [talk("a", "b")] * 9, name="none").do()


@pytest.mark.filterwarnings("error:Converting a tensor with requires_grad")
def test_a_reward_model_prefers_and_rewards_the_steps_of_ppo(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    # It warns once a process otherwise, and another test may have been the first.
    torch.set_warn_always(True)
    run = start("reward", {**OPTIONS, "steps": 20}, *PAIRS)
    made = run.do()
    assert made.makes == "reward"
    assert made.figures["preferred"] == 1.0
    assert made.figures["longer"] == 1.0

    options = {**OPTIONS, "batch": 4, "steps": 4, "new_tokens": 6, "reward_model": "r@1", "save_every": 2}
    given = {"given": {"reward_model": str(run.output)}}
    prompts = [{"prompt": f"what is {each} of it"} for each in range(8)]
    whole = start("ppo", options, prompts, (), prompts[:2], name="whole", **given)
    ppo = whole.do()
    assert ppo.makes == "adapter"
    figures = [each["figures"] for each in whole.folder.metrics()]
    assert len(figures) == 4
    # Before the first step the model is its base.
    assert figures[0]["kl"] == pytest.approx(0, abs=1e-4)
    assert all(figure["words"] <= 6 for figure in figures)

    cut = start("ppo", options, prompts, (), prompts[:2], name="cut", **given)
    asked = iter([False] * 2 + [True] * 9)
    monkeypatch.setattr(cut, "stopping", lambda: next(asked))
    with pytest.raises(Interrupted):
        cut.do()
    again = start("ppo", options, name="cut", **given)
    assert checkpoints.latest(again.checkpoints) is not None
    again.do()
    assert (again.output / "adapter_model.safetensors").read_bytes() == (
        whole.output / "adapter_model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("recipe", ["ppo", "grpo"])
def test_rewards_of_a_scorer_are_learned(recipe: str, start: Start) -> None:
    # A fifth of what a random model writes has one of these letters.
    options = {
        **OPTIONS,
        "batch": 16,
        "steps": 24,
        "learning_rate": 0.03,
        "schedule": "constant",
        "new_tokens": 3,
        "answer_tokens": 3,
        "beta": 0.0,
        "rewards": [{"name": "regex", "options": {"pattern": "[wbk]"}}],
    }
    if recipe == "grpo":
        options |= {"group": 8}
    prompts = [{"prompt": f"what is {each} of it"} for each in range(4)]
    run = start(recipe, options, prompts, (), prompts)
    run.do()
    name = "reward"
    curve = [each["figures"][name] for each in run.folder.metrics() if name in each["figures"]]
    assert sum(curve[-4:]) / 4 > sum(curve[:4]) / 4 + 0.2, curve


def test_what_rewards_nothing_or_breaks_groups_is_reported(start: Start, tmp_path: Path) -> None:
    prompts = [{"prompt": "a"}] * 4
    with pytest.raises(InvalidRequest, match="no reward is given"):
        start("grpo", OPTIONS, prompts).do()
    with pytest.raises(InvalidRequest, match="not whole groups of 3"):
        start("grpo", {**OPTIONS, "group": 3}, prompts, name="groups").do()
    given = {"reward_model": str(tmp_path)}
    with pytest.raises(InvalidRequest, match="is not a reward model"):
        start("ppo", {**OPTIONS, "reward_model": "r@1"}, prompts, name="model", given=given).do()
    # A folder in the options is none that the service has found.
    with pytest.raises(InvalidRequest, match="was not found when the job was ordered"):
        start("ppo", {**OPTIONS, "reward_model": str(tmp_path)}, prompts, name="path").do()
