"""What a translator is worth on held-out pairs: BLEU, chrF and METEOR by direction and domain, and copies.

Intervals are of a bootstrap over sentences; the same draws are taken for what is compared (Koehn 2004).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import MissingExtra
from mainspring.evaluation.texts.meteor import meteor
from mainspring.features.translate.engine.translator import Translator
from mainspring.features.translate.training.dictionary import Dictionary
from mainspring.features.translate.training.near import key
from mainspring.features.translate.training.options import TranslateOptions
from mainspring.training.recipe import Made

DRAWS = 300
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Set:
    """Held-out sentences of one direction and domain."""

    domain: str
    source_language: str
    target_language: str
    sources: tuple[str, ...]
    references: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.domain}.{self.source_language}-{self.target_language}"


@dataclass(frozen=True, slots=True)
class Worth:
    """BLEU and chrF in percent with intervals of 95 %, METEOR, and the share that came back as it was."""

    bleu: float
    bleu_interval: tuple[float, float]
    chrf: float
    chrf_interval: tuple[float, float]
    meteor: float
    copied: float
    n: int
    draws: Any
    """BLEU of each draw, for differences."""

    def above(self, other: Worth) -> tuple[float, float]:
        """The interval of 95 % of the difference in BLEU: the draws are the same sentences."""
        return _interval(self.draws - other.draws)


def sets(rows: Iterable[Row], *, both: bool, most: int = 0) -> list[Set]:
    """The rows by direction and domain; ``most`` of each (0: all)."""
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for row in rows:
        domain, one, other = str(row.get("domain", "")) or "text", str(row["from"]), str(row["to"])
        found.setdefault((domain, one, other), []).append((str(row["source"]), str(row["target"])))
        if both:
            found.setdefault((domain, other, one), []).append((str(row["target"]), str(row["source"])))
    made = []
    for (domain, one, other), pairs in sorted(found.items()):
        kept = pairs[:most] if most else pairs
        made.append(Set(domain, one, other, tuple(a for a, _ in kept), tuple(b for _, b in kept)))
    return made


def worth(said: Sequence[str], held: Set, seed: int = 0) -> Worth:
    """Raises ``MissingExtra`` without sacrebleu and nltk."""
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise MissingExtra("BLEU and chrF need sacrebleu", remedy="pip install 'mainspring[eval]'") from None
    # Korean has no tokenizer there: characters are its words.
    bleu, chrf = BLEU(tokenize="char" if held.target_language == "ko" else "13a"), CHRF()
    drawn = np.random.default_rng(seed).integers(len(said), size=(DRAWS, len(said)))
    values, intervals, draws = [], [], []
    for metric in (bleu, chrf):
        # The counts of each sentence add up to those of the corpus.
        counts = np.array(metric._extract_corpus_statistics(list(said), [list(held.references)]))
        values.append(float(metric._compute_score_from_stats(counts.sum(0).tolist()).score))
        each = np.array([metric._compute_score_from_stats(counts[draw].sum(0).tolist()).score for draw in drawn])
        intervals.append(_interval(each))
        draws.append(each)
    scores = meteor(said, [[each] for each in held.references])
    copied = sum(key(a) == key(b) for a, b in zip(said, held.sources, strict=True)) / len(said)
    mean = sum(scores) / len(scores)
    return Worth(values[0], intervals[0], values[1], intervals[1], mean, copied, len(said), draws[0])


def dictionary(rows: Iterable[Row], held: Set) -> Dictionary:
    """Learned of all pairs of the direction, whichever way they are written."""
    one, other = held.source_language, held.target_language
    pairs = []
    for row in rows:
        if (row["from"], row["to"]) == (one, other):
            pairs.append((str(row["source"]), str(row["target"])))
        elif (row["from"], row["to"]) == (other, one):
            pairs.append((str(row["target"]), str(row["source"])))
    return Dictionary(pairs)


def measure(
    options: TranslateOptions, folder: Path, train: Sequence[Row], test: Iterable[Row], seed: int, start: Path | None
) -> Made:
    """The translator in ``folder`` beside that in ``start``, which it learned on from, or beside a dictionary of the
    same pairs, on the same sentences."""
    translator = Translator(folder, beams=options.beam)
    first = None if start is None else Translator(start, beams=options.beam)
    floor_name = "the dictionary" if first is None else "the translator that it learned on from"
    figures: dict[str, float] = {}
    before: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    counted: dict[str, int] = {}
    notes = []
    for held in sets(test, both=options.both, most=options.tested):
        said = [each.text for each in translator.translated(held.sources, held.source_language, held.target_language)]
        own = worth(said, held, seed)
        floor = worth(_floor(first, train, held), held, seed)
        for name, value in (("bleu", own.bleu), ("chrf", own.chrf), ("meteor", own.meteor), ("copied", own.copied)):
            figures[f"{name}.{held.name}"], counted[f"{name}.{held.name}"] = value, own.n
        before[f"bleu.{held.name}"], before[f"chrf.{held.name}"] = floor.bleu, floor.chrf
        intervals[f"bleu.{held.name}"], intervals[f"chrf.{held.name}"] = own.bleu_interval, own.chrf_interval
        low, high = own.above(floor)
        notes.append(f"{held.name}: BLEU {own.bleu - floor.bleu:+.1f} [{low:+.1f}, {high:+.1f}] to {floor_name}")
    translator.close()
    if first is None:
        notes.append("before: a dictionary of the same pairs, word by word")
    else:
        first.close()
        notes.append(f"before: {floor_name}; the licence of its data holds for this one, too")
    return Made(
        makes="translator",
        files=tuple(f"{folder.name}/{each.name}" for each in sorted(folder.iterdir())),
        figures=figures, intervals=intervals, counted=counted, before=before, notes=tuple(notes),
    )  # fmt: skip


def _floor(first: Translator | None, train: Sequence[Row], held: Set) -> list[str]:
    """What was there before; of a pair that the translator it learned on from does not know, the source."""
    if first is None:
        known = dictionary(train, held)
        return [known.translate(each) for each in held.sources]
    if f"{held.source_language}-{held.target_language}" not in first.card.pairs:
        return list(held.sources)
    return [each.text for each in first.translated(held.sources, held.source_language, held.target_language)]


def _interval(values: Any) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
