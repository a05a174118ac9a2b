"""Measures of generated texts against references, each over the library that is the reference for it.

scores = score(["The cat was on the mat"], [["The cat sat on the mat"]], ["bleu", "rouge-l"])
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from mainspring.core.errors import InvalidRequest, MissingExtra
from mainspring.evaluation.texts.cider import cider
from mainspring.evaluation.texts.meteor import Thesaurus, meteor

_ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclass(frozen=True, slots=True)
class Scores:
    """``value`` is the corpus's, ``each`` those of the examples. ``mean``: the corpus's is their mean; it is not for
    BLEU, chrF and TER, which add up counts. ``most`` is the best possible value (None: there is none)."""

    value: float
    each: tuple[float, ...]
    mean: bool
    most: float | None
    lower_is_better: bool = False


Measure = Callable[[Sequence[str], Sequence[Sequence[str]]], Scores]


def score(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    measures: Sequence[str],
    thesaurus: Thesaurus | None = None,
) -> dict[str, Scores]:
    """What each of ``measures`` says. Raises ``InvalidRequest`` for an unknown measure, for no examples, and for an
    example without a reference; ``MissingExtra`` without the extra ``eval``."""
    if not predictions or len(predictions) != len(references):
        raise InvalidRequest("each prediction needs references, and there must be one at least", param="predictions")
    for number, several in enumerate(references):
        if not several:
            raise InvalidRequest(f"example {number + 1} has no reference", param="references")
    found: dict[str, Scores] = {}
    for name in measures:
        if name not in MEASURES:
            raise InvalidRequest(
                f"there is no measure {name:.50}", param="measures", remedy=f"Use {', '.join(MEASURES)}"
            )
        found[name] = (
            _mean(meteor(predictions, references, thesaurus))
            if name == "meteor"
            else MEASURES[name](predictions, references)
        )
    return found


def _mean(each: Sequence[float], most: float | None = 1.0) -> Scores:
    return Scores(sum(each) / len(each), tuple(each), True, most)


def _sacrebleu(name: str) -> Measure:
    def measured(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
        found = _metric(name)
        # sacrebleu wants as many references for each example: None stands for one that is absent.
        most = max(map(len, references))
        sides = [
            [several[number] if number < len(several) else None for several in references] for number in range(most)
        ]
        each = [
            float(_sentence(name).sentence_score(own, list(several)).score)
            for own, several in zip(predictions, references, strict=True)
        ]
        value = float(found.corpus_score(list(predictions), sides).score)
        return Scores(value, tuple(each), False, None if name == "TER" else 100.0, name == "TER")

    return measured


def _metric(name: str) -> Any:
    return getattr(_library(), name)()


@cache
def _sentence(name: str) -> Any:
    # A single sentence seldom has a run of four words in common: orders that it cannot have do not count.
    return _library().BLEU(effective_order=True) if name == "BLEU" else _metric(name)


def _library() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError:
        raise MissingExtra("BLEU, chrF and TER need sacrebleu", remedy="Install mainspring[eval]") from None
    return metrics


def _rouge(kind: str) -> Measure:
    def measured(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
        try:
            from rouge_score.rouge_scorer import RougeScorer
        except ImportError:
            raise MissingExtra("ROUGE needs rouge-score", remedy="Install mainspring[eval]") from None
        scorer = RougeScorer([kind], use_stemmer=False)
        return _mean(
            [
                max(float(scorer.score(each, own)[kind].fmeasure) for each in several)
                for own, several in zip(predictions, references, strict=True)
            ]
        )

    return measured


def plain(text: str) -> str:
    """``text`` as SQuAD's evaluation compares it: lower case, no punctuation, no articles, single blanks."""
    kept = "".join(each for each in text.lower() if each not in set(string.punctuation))
    return " ".join(_ARTICLES.sub(" ", kept).split())


def _exact(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
    return _mean(
        [
            float(any(plain(own) == plain(each) for each in several))
            for own, several in zip(predictions, references, strict=True)
        ]
    )


def _f1(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
    return _mean(
        [max(_overlap(own, each) for each in several) for own, several in zip(predictions, references, strict=True)]
    )


def _overlap(own: str, other: str) -> float:
    ours, theirs = plain(own).split(), plain(other).split()
    same = sum((Counter(ours) & Counter(theirs)).values())
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * same / (len(ours) + len(theirs))


def _cider(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
    return _mean(cider(predictions, references), 10.0)


def _meteor(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
    return _mean(meteor(predictions, references))


MEASURES: Mapping[str, Measure] = {
    "bleu": _sacrebleu("BLEU"),
    "chrf": _sacrebleu("CHRF"),
    "ter": _sacrebleu("TER"),
    "rouge-1": _rouge("rouge1"),
    "rouge-2": _rouge("rouge2"),
    "rouge-l": _rouge("rougeL"),
    "meteor": _meteor,
    "cider": _cider,
    "exact": _exact,
    "f1": _f1,
}
"""BLEU, chrF and TER as sacrebleu has them (in percent), ROUGE as rouge-score's F1, METEOR as nltk's, CIDEr-D, and
SQuAD's exact match and F1. Of several references the best counts; CIDEr takes the mean."""
