"""Direct preference optimisation: of two answers the model shall find likelier, against its base, what people prefer.

Preferences tend to be for longer answers, and models learn that first (Park et al. 2024, "Disentangling length from
quality"): the lengths of answers on ``test`` are reported before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from mainspring.training.chat import held_out, loop, outputs, rows
from mainspring.training.chat.options import PreferenceOptions, WantedScore
from mainspring.training.chat.rows import AnswerPair, LearnedText
from mainspring.training.chat.tuning import Tuning
from mainspring.training.recipe import Made, Work


def run(work: Work) -> Made:
    """See ``training.recipe.Function``."""
    options = cast(PreferenceOptions, work.options)
    rows.enough(work.count("train"), options.min_rows, "pairs in train")
    tuning = Tuning(work, options)
    learning, validation, test = (fitting(rows.pairs(work, side, tuning.writer), tuning) for side in SIDES)
    rows.enough(learning, options.min_rows, f"pairs of at most {options.length} tokens")
    held = Preferred(work, tuning, test)
    before = held.before()
    trainer = make(work, tuning, learning, validation)
    watch = loop.Watch(work, tuning)
    step = loop.drive(trainer, work, watch)
    after = held.measure(step)
    notes = [*watch.notes, f"weights of step {step}", *length_note(before, after)]
    return outputs.write(work, tuning, held_out.report(before, after), notes=notes, held=held)


SIDES: tuple[Any, ...] = ("train", "validation", "test")


def make(work: Work, tuning: Tuning, learning: Sequence[AnswerPair], validation: Sequence[AnswerPair]) -> DPOTrainer:
    """The trainer."""
    options = cast(PreferenceOptions, tuning.options)
    config = DPOConfig(
        **loop.arguments(work, tuning, len(learning)),
        **loop.evaluating(options, len(learning), len(validation)),
        max_length=options.length,
        beta=options.beta,
        loss_type=[options.loss],
        label_smoothing=options.label_smoothing,
        ld_alpha=options.lengths_apart if options.lengths_apart < 1 else None,
    )
    return DPOTrainer(
        tuning.model,
        args=config,
        train_dataset=_table(learning),
        eval_dataset=_table(validation) if validation else None,
        processing_class=tuning.tokenizer,
    )


def _table(pairs: Sequence[AnswerPair]) -> Dataset:
    return Dataset.from_list(
        [{"prompt": each.prompt, "chosen": each.chosen, "rejected": each.rejected} for each in pairs]
    )


def fitting(pairs: Sequence[AnswerPair], tuning: Tuning) -> list[AnswerPair]:
    """Those whose both answers fit into the length: a cut answer would be judged by its beginning."""
    length, tokenizer = tuning.options.length, tuning.tokenizer

    def fits(text: str) -> bool:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"]) <= length

    return [each for each in pairs if fits(each.prompt + each.chosen) and fits(each.prompt + each.rejected)]


class Preferred(held_out.HeldOut):
    """The side ``test`` as preferences: ``preferred`` is 1 where the chosen answer is the likelier one by token."""

    def __init__(
        self, work: Work, tuning: Tuning, pairs: Sequence[AnswerPair], *, scorers: Sequence[WantedScore] = ()
    ) -> None:
        super().__init__(
            work, tuning, [_told(each.prompt, each.chosen) for each in pairs], scorers=scorers or tuning.options.scorers
        )
        worse = [_told(each.prompt, each.rejected) for each in pairs]
        self._worse = rows.encoded(tuning.tokenizer, worse, tuning.options.length)

    def measure(self, step: int) -> dict[str, list[float | None]]:
        """See ``HeldOut``."""
        found = super().measure(step)
        if self._worse:
            worse = held_out.losses(self._tuning, self._worse)
            mean = [total / max(count, 1) for total, count in worse]
            better = [each or 0.0 for each in found["loss"]]
            found["preferred"] = [float(one < other) for one, other in zip(better, mean, strict=True)]
            found["margin"] = [other - one for one, other in zip(better, mean, strict=True)]
        return found


def _told(prompt: str, answer: str) -> LearnedText:
    return LearnedText(prompt + answer, ((len(prompt), len(prompt) + len(answer)),))


def length_note(before: held_out.Values, after: held_out.Values) -> list[str]:
    """A warning where answers became longer by more than a quarter."""
    words = [sum(each or 0.0 for each in side.get("answer-words", ())) for side in (before, after)]
    if words[0] and words[1] > 1.25 * words[0]:
        return [f"answers became longer by {words[1] / words[0] - 1:.0%}: length may have been learned for quality"]
    return []
