"""Group relative policy optimisation: of several answers to a prompt, those with more reward become likelier.

The reward is any scorer, a reward model, or both. Shao et al. 2024 (DeepSeekMath); the loss is trl's ``dapo``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from mainspring.training.chat import held_out, loop, outputs, rows
from mainspring.training.chat.options import GrpoOptions
from mainspring.training.chat.recipes.dpo import length_note
from mainspring.training.chat.rewards import Rewards
from mainspring.training.chat.rows import Question
from mainspring.training.chat.tuning import Tuning
from mainspring.training.recipe import Made, Work


def run(work: Work) -> Made:
    """See ``training.recipe.Function``."""
    options = cast(GrpoOptions, work.options)
    options.check_start(work.base, work.given)
    rows.enough(work.count("train"), options.min_rows, "prompts in train")
    rewards = Rewards(options, work.given)
    tuning = Tuning(work, options)
    asked = fitting(rows.questions(work, "train", tuning.writer, right=options.right), tuning, options.new_tokens)
    rows.enough(asked, options.min_rows, f"prompts that leave {options.new_tokens} of {options.length} tokens")
    held = held_out.HeldOut(work, tuning, scorers=rewards.scorers)
    before = held.before()
    trainer = make(work, tuning, asked, rewards)
    watch = loop.Watch(work, tuning)
    step = loop.drive(trainer, work, watch)
    after = held.measure(step)
    notes = [*watch.notes, f"weights of step {step}", *length_note(before, after)]
    return outputs.write(work, tuning, held_out.report(before, after), notes=notes, held=held)


def fitting(asked: Sequence[Question], tuning: Tuning, tokens: int) -> list[Question]:
    """Those whose prompt leaves room for an answer."""
    room = tuning.options.length - tokens
    return [each for each in asked if len(tuning.tokenizer(each.prompt, add_special_tokens=False)["input_ids"]) <= room]


def make(work: Work, tuning: Tuning, asked: Sequence[Question], rewards: Rewards) -> GRPOTrainer:
    """The trainer."""
    options = cast(GrpoOptions, tuning.options)
    # A prompt is a group of rows in the eyes of the trainer.
    settings = loop.arguments(work, tuning, len(asked) * options.group)
    config = GRPOConfig(
        **settings,
        num_generations=options.group,
        max_completion_length=options.new_tokens,
        temperature=options.temperature,
        beta=options.beta,
        shuffle_dataset=True,
        log_completions=False,
    )
    table = Dataset.from_list([{"prompt": each.prompt, "place": place} for place, each in enumerate(asked)])
    return GRPOTrainer(
        tuning.model,
        reward_funcs=_reward(asked, rewards),
        args=config,
        train_dataset=table,
        processing_class=tuning.tokenizer,
    )


def _reward(asked: Sequence[Question], rewards: Rewards) -> Callable[..., list[float]]:
    def reward(prompts: Sequence[str], completions: Sequence[str], place: Sequence[int], **_: Any) -> list[float]:
        return rewards.of(prompts, [asked[each].example for each in place], completions)

    return reward
