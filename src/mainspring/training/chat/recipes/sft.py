"""Supervised fine-tuning: the model learns to write the answers that stand in conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from mainspring.training.chat import held_out, loop, outputs, rows
from mainspring.training.chat.options import SftOptions
from mainspring.training.chat.rows import LearnedText
from mainspring.training.chat.tuning import Tuning
from mainspring.training.recipe import Made, Work


def run(work: Work) -> Made:
    """See ``training.recipe.Function``."""
    options = cast(SftOptions, work.options)
    rows.enough(work.count("train"), options.min_rows)
    tuning = Tuning(work, options)
    learning = prepared(work, tuning, "train")
    rows.enough(learning, options.min_rows, f"rows of at most {options.length} tokens")
    return tune(work, tuning, learning, prepared(work, tuning, "validation"))


def prepared(work: Work, tuning: Tuning, side: Any) -> list[dict[str, list[int]]]:
    """The rows of a side as tokens and labels; those that are too long are left out."""
    options = cast(SftOptions, tuning.options)
    told = rows.conversations(work, side, tuning.writer, options.turns)
    return rows.encoded(tuning.tokenizer, told, options.length)


def tune(
    work: Work,
    tuning: Tuning,
    learning: list[dict[str, list[int]]],
    validation: list[dict[str, list[int]]],
    *,
    ordered: bool = False,
    told: Sequence[LearnedText] | None = None,
) -> Made:
    """Learn from rows of tokens, and measure. ``ordered``: the rows are seen in their order. ``told`` are the texts of
    the side ``test``; None: its conversations."""
    options = cast(SftOptions, tuning.options)
    if told is None:
        told = rows.conversations(work, "test", tuning.writer, options.turns)
    test = held_out.HeldOut(work, tuning, told)
    before = test.before()
    trainer = make(work, tuning, learning, validation, ordered=ordered)
    watch = loop.Watch(work, tuning)
    step = loop.drive(trainer, work, watch)
    after = test.measure(step)
    left_out = work.count("train") - len(learning)
    notes = [*watch.notes, f"weights of step {step}"]
    if left_out > 0:
        notes.append(f"{left_out} rows have more than {options.length} tokens and were left out")
    return outputs.write(work, tuning, held_out.report(before, after), notes=notes, held=test)


def make(
    work: Work,
    tuning: Tuning,
    learning: list[dict[str, list[int]]],
    validation: list[dict[str, list[int]]],
    *,
    ordered: bool = False,
) -> SFTTrainer:
    """The trainer."""
    options = cast(SftOptions, tuning.options)
    packed = len(learning)
    if options.packing:
        packed = max(1, sum(len(each["input_ids"]) for each in learning) // options.length)
    config = SFTConfig(
        **loop.arguments(work, tuning, packed),
        **loop.evaluating(options, packed, len(validation)),
        max_length=options.length,
        packing=options.packing,
        eval_packing=False,
        train_sampling_strategy="sequential" if ordered else "random",
    )
    return SFTTrainer(
        tuning.model,
        args=config,
        train_dataset=Dataset.from_list(learning),
        eval_dataset=Dataset.from_list(validation) if validation else None,
        processing_class=tuning.tokenizer,
    )
