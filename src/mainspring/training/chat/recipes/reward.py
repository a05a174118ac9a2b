"""A reward model: it gives a text a number, higher for the answers that people prefer (Bradley and Terry 1952)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from datasets import Dataset
from trl import RewardConfig, RewardTrainer

from mainspring.training.chat import held_out, loop, outputs, rows
from mainspring.training.chat.options import RewardOptions
from mainspring.training.chat.recipes.dpo import SIDES, fitting
from mainspring.training.chat.rewards import REWARD, scored
from mainspring.training.chat.rows import AnswerPair
from mainspring.training.chat.tuning import Tuning
from mainspring.training.folder import read_json, write_json
from mainspring.training.recipe import Made, Work


def run(work: Work) -> Made:
    """See ``training.recipe.Function``."""
    options = cast(RewardOptions, work.options)
    rows.enough(work.count("train"), options.min_rows, "pairs in train")
    tuning = Tuning(work, options, head="score")
    learning, validation, test = (fitting(rows.pairs(work, side, tuning.writer), tuning) for side in SIDES)
    rows.enough(learning, options.min_rows, f"pairs of at most {options.length} tokens")
    trainer = make(work, tuning, learning, validation)
    kept = work.checkpoints / "before.json"
    before = read_json(kept)
    if before is None:
        before = dict(measured(tuning, test))
        write_json(kept, before)
    watch = loop.Watch(work, tuning)
    step = loop.drive(trainer, work, watch)
    told = held_out.report(before, measured(tuning, test))
    files = outputs.adapter(work.output, tuning)
    write_json(
        work.output / REWARD,
        {"base": str(work.base), "length": options.length, "template": tuning.base.template},
    )
    notes = (*watch.notes, f"weights of step {step}")
    return Made("reward", (*files, REWARD), **told, notes=notes)


def make(work: Work, tuning: Tuning, learning: Sequence[AnswerPair], validation: Sequence[AnswerPair]) -> RewardTrainer:
    """The trainer."""
    options = cast(RewardOptions, tuning.options)
    config = RewardConfig(
        **loop.arguments(work, tuning, len(learning)),
        **loop.evaluating(options, len(learning), len(validation)),
        max_length=options.length,
        center_rewards_coefficient=options.centre or None,
    )
    return RewardTrainer(
        tuning.model,
        args=config,
        train_dataset=_table(learning, tuning),
        eval_dataset=_table(validation, tuning) if validation else None,
        processing_class=tuning.tokenizer,
    )


def _table(pairs: Sequence[AnswerPair], tuning: Tuning) -> Dataset:
    def ids(text: str) -> list[int]:
        found: list[int] = tuning.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    sides = [(each.prompt + each.chosen, each.prompt + each.rejected) for each in pairs]
    return Dataset.from_list([{"chosen_ids": ids(one), "rejected_ids": ids(other)} for one, other in sides])


def measured(tuning: Tuning, test: Sequence[AnswerPair]) -> dict[str, list[float | None]]:
    """``preferred``: 1 where the chosen answer gets more; ``longer``: where it is the longer one, which a model that
    knows only lengths would prefer."""
    if not test:
        return {}
    sides = []
    for texts in ([each.prompt + each.chosen for each in test], [each.prompt + each.rejected for each in test]):
        with tuning.computing():
            sides.append(scored(tuning.model, tuning.tokenizer, texts, tuning.options.length))
    return {
        "preferred": [float(one > other) for one, other in zip(*sides, strict=True)],
        "margin": [one - other for one, other in zip(*sides, strict=True)],
        "longer": [float(len(each.chosen) > len(each.rejected)) for each in test],
    }
