"""The run of the recipe ``compose-phrases``: n-grams of further mails beside a model as it is, with the share that is
best on the validation side. It needs no torch."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.core.settings import load as settings
from mainspring.features.compose.evaluating import Likelihoods, Row, drawn, losses, perplexity
from mainspring.features.compose.learn.rows import samples
from mainspring.features.compose.model.kneser_ney import KneserNey
from mainspring.features.compose.model.packed import (
    CONFIG,
    NGRAMS,
    PHRASES,
    PHRASES_SHARE,
    TOKENIZER,
    WEIGHTS,
    Packed,
    load,
    place,
)
from mainspring.features.compose.recipes import PhrasesOptions
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.suggesting import Suggesting
from mainspring.training.recipe import Made, Work

_SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_CHOSEN_ON, _MEASURED_ON, _SHOWN = 100, 200, 4


def run(work: Work) -> Made:
    """Raises ``InvalidRequest`` without mails, ``NothingLearned`` where no share of the phrases helps."""
    options = cast(PhrasesOptions, work.options)
    rows = list(work.rows("train"))
    if not rows:
        raise InvalidRequest("the training side has no mails", remedy='Give rows like {"text": "..."}', param="data")
    _copy(work.given.get("start"), work.output)
    base = load(str(work.output))
    # Without what came before the text: phrases are the same in all mails.
    texts = [targets for _, targets in samples(base.tokenizer, [{"text": str(each["text"])} for each in rows], 100_000)]
    texts = [[token for token in each if token >= 0] for each in texts]
    counted = KneserNey.of(texts, base.tokenizer.get_vocab_size()).common(texts, options.least_mails)
    seen = list(work.rows("validation"))[:_CHOSEN_ON]
    share = _share(work, base, counted, seen, options.most_share)
    counted.save(work.output / PHRASES)
    told = json.loads((work.output / CONFIG).read_text(encoding="utf-8"))
    (work.output / CONFIG).write_text(json.dumps({**told, PHRASES_SHARE: share}, indent=1) + "\n", encoding="utf-8")
    made = load(str(work.output))
    for step, packed in ((0, base), (1, made)):
        _show(work, step, packed, seen or rows)
    before, after = _measured(work, base, made)
    files = tuple(sorted(each.name for each in work.output.iterdir() if each.is_file()))
    figures = {} if after is None else {"perplexity_per_word": after[0]}
    return Made(
        "composer",
        files,
        figures,
        {} if after is None else {"perplexity_per_word": after[1]},
        dict.fromkeys(figures, 0 if after is None else after[2]),
        {} if before is None else {"perplexity_per_word": before},
        notes=(
            f"phrases of {len(rows)} mails have {share:.2f} of each probability",
            f"three words and more are phrases if {options.least_mails} mails have them",
        ),
    )


def _copy(start: Path | None, output: Path) -> None:
    """The model that the phrases are put beside, without phrases of its own: they are in the rows again."""
    if start is None:
        folder = settings().settings.section(ComposeSettings).folder
        source = Path(folder).expanduser() if folder else place()
    else:
        source = start if (start / CONFIG).exists() else start / "output"
    told = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    told.pop(PHRASES_SHARE, None)
    output.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, TOKENIZER, NGRAMS):
        if (source / name).exists():
            shutil.copyfile(source / name, output / name)
    (output / CONFIG).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _share(work: Work, base: Packed, counted: KneserNey, seen: Sequence[Row], most: float) -> float:
    """The best share on the validation side, whose losses (nats a token) are a curve over the shares in percent."""
    if not seen:
        return min(0.3, most)
    old = np.concatenate([losses(base, base.model, row)[0] for row in seen])
    new = np.concatenate([losses(base, counted, row)[0] for row in seen])
    best, found = float(old.mean()), 0.0
    work.log(0, validation_loss=best)
    for share in (each for each in _SHARES if each <= most):
        loss = float(-np.logaddexp(np.log1p(-share) - old, np.log(share) - new).mean())
        work.log(round(100 * share), validation_loss=loss)
        if loss < best:
            best, found = loss, share
    if not found:
        raise NothingLearned(
            f"no share of these phrases predicts the {len(seen)} mails of the validation side better",
            remedy="Come again when there are more mails",
        )
    return found


def _show(work: Work, step: int, packed: Packed, rows: Sequence[Row]) -> None:
    """What is suggested at some places of mails that were not learned."""
    suggesting = Suggesting(packed, ComposeSettings())
    for each in drawn(rows[:_SHOWN], 1):
        found = suggesting.suggest(each.asked(least=0.01)).suggestions
        work.sample(step, each.before, found[0].text if found else "")


Measured = tuple[float, tuple[float, float], int]


def _measured(work: Work, base: Packed, made: Packed) -> tuple[float | None, Measured | None]:
    """The perplexity a word on the test side: before, and after with an interval and the number of mails."""
    rows: list[Mapping[str, Any]] = list(work.rows("test"))[:_MEASURED_ON]
    if not rows:
        return None, None

    def read(model: Likelihoods) -> list[tuple[float, int]]:
        return [(float(nats.sum()), words) for nats, words in (losses(base, model, row) for row in rows)]

    old, new = read(base.model), read(made.model)
    draw = random.Random(0)
    spread = sorted(perplexity(draw.choices(new, k=len(new))) for _ in range(1000))
    return perplexity(old), (perplexity(new), (spread[24], spread[974]), len(rows))
