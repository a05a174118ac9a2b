"""Learning from thumbs, without pairs: what people liked becomes likelier against the base, what they did not, less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from datasets import Dataset
from trl import KTOConfig, KTOTrainer

from mainspring.core.errors import NothingLearned
from mainspring.training.chat import held_out, loop, outputs, rows
from mainspring.training.chat.options import KtoOptions
from mainspring.training.chat.recipes.dpo import SIDES, length_note
from mainspring.training.chat.rows import LearnedText, Thumb
from mainspring.training.chat.tuning import Tuning
from mainspring.training.recipe import Made, Work


def run(work: Work) -> Made:
    """See ``training.recipe.Function``."""
    options = cast(KtoOptions, work.options)
    rows.enough(work.count("train"), options.min_rows)
    tuning = Tuning(work, options)
    learning, validation, test = (fitting(rows.thumbs(work, side, tuning.writer), tuning) for side in SIDES)
    rows.enough(learning, options.min_rows, f"rows of at most {options.length} tokens")
    if len({each.up for each in learning}) < 2:
        raise NothingLearned("all thumbs point one way", remedy="Give rows with thumbs up and with thumbs down")
    held = Liked(work, tuning, test)
    before = held.before()
    trainer = make(work, tuning, learning, validation)
    watch = loop.Watch(work, tuning)
    step = loop.drive(trainer, work, watch)
    after = held.measure(step)
    notes = [*watch.notes, f"weights of step {step}", *length_note(before, after)]
    return outputs.write(work, tuning, held_out.report(before, after), notes=notes, held=held)


def fitting(thumbs: Sequence[Thumb], tuning: Tuning) -> list[Thumb]:
    """Those that fit into the length."""
    length, tokenizer = tuning.options.length, tuning.tokenizer
    return [
        each
        for each in thumbs
        if len(tokenizer(each.prompt + each.completion, add_special_tokens=False)["input_ids"]) <= length
    ]


def make(work: Work, tuning: Tuning, learning: Sequence[Thumb], validation: Sequence[Thumb]) -> KTOTrainer:
    """The trainer."""
    options = cast(KtoOptions, tuning.options)
    config = KTOConfig(
        **loop.arguments(work, tuning, len(learning)),
        **loop.evaluating(options, len(learning), len(validation)),
        max_length=options.length,
        beta=options.beta,
        desirable_weight=options.up_weight,
        undesirable_weight=options.down_weight,
    )
    return KTOTrainer(
        tuning.model,
        args=config,
        train_dataset=_table(learning),
        eval_dataset=_table(validation) if validation else None,
        processing_class=tuning.tokenizer,
    )


def _table(thumbs: Sequence[Thumb]) -> Dataset:
    return Dataset.from_list(
        [{"prompt": each.prompt, "completion": each.completion, "label": each.up} for each in thumbs]
    )


class Liked(held_out.HeldOut):
    """The side ``test`` as thumbs: ``loss`` is that of liked answers, ``disliked-loss`` that of the others."""

    def __init__(self, work: Work, tuning: Tuning, thumbs: Sequence[Thumb]) -> None:
        super().__init__(work, tuning, _told(thumbs, up=True), scorers=tuning.options.scorers)
        self._disliked = rows.encoded(tuning.tokenizer, _told(thumbs, up=False), tuning.options.length)

    def measure(self, step: int) -> dict[str, list[float | None]]:
        """See ``HeldOut``."""
        found = super().measure(step)
        if self._disliked:
            worse = held_out.losses(self._tuning, self._disliked)
            found["disliked-loss"] = [total / max(count, 1) for total, count in worse]
        return found


def _told(thumbs: Sequence[Thumb], *, up: bool) -> list[LearnedText]:
    return [
        LearnedText(each.prompt + each.completion, ((len(each.prompt), len(each.prompt) + len(each.completion)),))
        for each in thumbs
        if each.up == up
    ]
