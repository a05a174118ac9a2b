"""The n-grams beside the decoder: counted on mails, with the share that is best on the validation side."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.features.compose.evaluating import Likelihoods, losses, perplexity
from mainspring.features.compose.learn.rows import Sample, is_mail
from mainspring.features.compose.model.kneser_ney import KneserNey
from mainspring.features.compose.model.mixture import Mixture
from mainspring.features.compose.model.packed import CONFIG, NGRAMS, SHARE, load
from mainspring.training.recipe import Work

_SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_CHOSEN_ON, _MEASURED_ON = 100, 200
"""Mails of the validation side, and of the test side."""
Figures = tuple[float, dict[str, float], dict[str, tuple[float, float]], dict[str, int]]


def mix(work: Work, tokenizer: Any, mails: Sequence[Sample]) -> Figures:
    """Count, choose and measure; returns the decoder's share and perplexities a word on the test side: of what is
    served, of the decoder alone and of the n-grams alone, with intervals (bootstrap over mails) and counts."""
    texts = [[*tokens, targets[-1]] for tokens, targets in mails]
    ngrams = KneserNey.of(texts, tokenizer.get_vocab_size())
    ngrams.save(work.output / NGRAMS)
    packed = load(str(work.output))
    share = 0.5
    seen = [row for row in work.rows("validation") if is_mail(row)][:_CHOSEN_ON]
    if seen:
        decoded = [losses(packed, packed.decoder, row)[0] for row in seen]
        counted = [losses(packed, ngrams, row)[0] for row in seen]
        one, other = (np.concatenate(each) for each in (decoded, counted))
        sums = {each: -np.logaddexp(np.log(each) - one, np.log(1 - each) - other).sum() for each in _SHARES}
        share = min(sums, key=lambda each: float(sums[each]))
    told = json.loads((work.output / CONFIG).read_text(encoding="utf-8"))
    (work.output / CONFIG).write_text(json.dumps({**told, SHARE: share}, indent=1) + "\n", encoding="utf-8")
    rows = [row for row in work.rows("test") if is_mail(row)][:_MEASURED_ON]
    figures: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    if rows:
        models: dict[str, Likelihoods] = {
            "perplexity_per_word": Mixture(packed.decoder, ngrams, share),
            "perplexity_decoder": packed.decoder,
            "perplexity_ngrams": ngrams,
        }
        for name, model in models.items():
            read = [(float(nats.sum()), words) for nats, words in (losses(packed, model, row) for row in rows)]
            figures[name], intervals[name] = perplexity(read), _interval(read)
    return share, figures, intervals, dict.fromkeys(figures, len(rows))


def before(work: Work, start: Path) -> dict[str, float]:
    """The perplexity a word on the test side of the model in ``start``, as it is served."""
    packed = load(str(start))
    rows = [row for row in work.rows("test") if is_mail(row)][:_MEASURED_ON]
    read = [(float(nats.sum()), words) for nats, words in (losses(packed, packed.model, row) for row in rows)]
    return {"perplexity_per_word": perplexity(read)} if read else {}


def _interval(read: Sequence[tuple[float, int]]) -> tuple[float, float]:
    draw = random.Random(0)
    spread = sorted(perplexity(draw.choices(read, k=len(read))) for _ in range(1000))
    return spread[24], spread[974]
