"""RAFT: the model learns to answer from numbered documents, to cite them, and to say so if they do not say.

Zhang et al. 2024, with a curriculum (see ``chat.curriculum``): answerable questions first, then other subjects, then
near misses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.texts.measures import plain
from mainspring.training.chat import held_out, loop, outputs, rows
from mainspring.training.chat.curriculum import Difficulty, difficulty, ordered
from mainspring.training.chat.options import RaftOptions
from mainspring.training.chat.recipes import sft
from mainspring.training.chat.scoring import refuses
from mainspring.training.chat.tuning import Tuning
from mainspring.training.recipe import Made, Work

_CITES = re.compile(r"\[(\d{1,3})\]")


def run(work: Work) -> Made:
    """See ``training.recipe.Function``."""
    options = cast(RaftOptions, work.options)
    rows.enough(work.count("train"), options.min_rows)
    tuning = Tuning(work, options)
    learning = staged(work, tuning)
    rows.enough(learning, options.min_rows, f"rows of at most {options.length} tokens")
    told = rows.conversations(work, "test", tuning.writer)
    test = Grounded(work, tuning, told)
    before = test.before()
    trainer = sft.make(work, tuning, learning, sft.prepared(work, tuning, "validation"), ordered=options.curriculum)
    watch = loop.Watch(work, tuning)
    step = loop.drive(trainer, work, watch)
    report = held_out.report(before, test.measure(step))
    notes = [
        *watch.notes,
        f"weights of step {step}",
        f"{len(learning)} of {work.count('train')} rows in the curriculum",
    ]
    return outputs.write(work, tuning, report, notes=notes, held=test)


def staged(work: Work, tuning: Tuning) -> list[dict[str, list[int]]]:
    """The rows as tokens, in the order of the curriculum."""
    options = cast(RaftOptions, tuning.options)
    found: list[tuple[Difficulty, dict[str, list[int]]]] = []
    for where, _, row in rows.numbered(work, "train"):
        if "question" not in row or "documents" not in row:
            raise InvalidRequest(
                f"{where}: a row of RAFT needs question, documents and answer",
                remedy="Export the kind raft in the format trl",
                param=where,
            )
        told = tuning.writer.told(rows.conversation(row, where))
        found += [(difficulty(row), each) for each in rows.encoded(tuning.tokenizer, [told], options.length)]
    if not options.curriculum:
        return [row for _, row in found]
    return ordered(found, refusals=options.refusals, seed=work.seed)


class Grounded(held_out.HeldOut):
    """The side ``test``, answered. Of answerable questions: ``contained`` (the right answer is in what is said),
    ``cites-right`` (a document that has it is cited), ``refused-wrongly``, ``unsupported`` (numbers and names in what
    is said that no document has). Of others: ``near-misses-refused`` and ``off-topic-refused``."""

    def __init__(self, work: Work, tuning: Tuning, told: Sequence[rows.LearnedText]) -> None:
        super().__init__(work, tuning, told, scorers=tuning.options.scorers)
        self._kinds: list[tuple[Difficulty, Sequence[str]]] = [
            (difficulty(row), row["documents"]) for _, _, row in rows.numbered(work, "test")
        ]

    def measure(self, step: int) -> dict[str, list[float | None]]:
        """See ``HeldOut``."""
        found = super().measure(step)
        said = self.said
        names = (
            "contained",
            "cites-right",
            "refused-wrongly",
            "unsupported",
            "near-misses-refused",
            "off-topic-refused",
        )
        made: dict[str, list[float | None]] = {name: [None] * len(said) for name in names}
        for place, (asked, text, (kind, documents)) in enumerate(zip(self._asked, said, self._kinds, strict=False)):
            if kind == "answerable":
                wanted = [_CITES.sub("", each) for each in asked.example.references]
                made["contained"][place] = float(any(plain(each) in plain(text) for each in wanted if plain(each)))
                made["cites-right"][place] = float(cites_right(text, wanted, documents))
                made["refused-wrongly"][place] = float(refuses(text))
            else:
                made[f"{'near-misses' if kind == 'near-miss' else kind}-refused"][place] = float(refuses(text))
            if not refuses(text):
                made["unsupported"][place] = float(bool(strangers(text, [asked.example.question, *documents])))
        return found | {name: values for name, values in made.items() if any(each is not None for each in values)}


def cites_right(text: str, wanted: Sequence[str], documents: Sequence[str]) -> bool:
    """Whether a document that has a right answer is cited."""
    for number in map(int, _CITES.findall(text)):
        if 0 < number <= len(documents):
            shown = plain(documents[number - 1])
            if any(plain(each) and plain(each) in shown for each in wanted):
                return True
    return False


_FACTS = re.compile(r"\d[\d.,:/-]*\d|\d|\b[A-Z][a-zA-Z'-]+")


def strangers(text: str, known: Sequence[str]) -> list[str]:
    """Numbers and capitalised words of a text, but those that begin a sentence, which nothing known has."""
    shown = " ".join(known).casefold()
    found = []
    for sentence in re.split(r"(?<=[.!?:])\s+|\n", _CITES.sub("", text)):
        for match in _FACTS.finditer(sentence):
            word = match[0]
            if (match.start() > 0 or word[0].isdigit()) and word.casefold().rstrip(".,:'s") not in shown:
                found.append(word)
    return found


def figures(values: held_out.Values) -> dict[str, Any]:
    """Means, for a benchmark."""
    return {name: _mean(each) for name, each in values.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return sum(known) / len(known) if known else None
