"""Figures of a model on mails that it was not trained on, for ``mainspring compose eval``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.features.compose.evaluating import Place, Row, drawn, exact, nats, perplexity, typed
from mainspring.features.compose.model.packed import load
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.suggesting import Suggesting
from mainspring.statistics.sampling import wilson


def measured(rows: Sequence[Row], folder: str, a_mail: int) -> dict[str, Any]:
    """Perplexity a word, exact matches of three words, and what a user who accepts what is right gets, under default
    settings. Each figure has its n; shares have an interval (Wilson, 95 %)."""
    suggesting = Suggesting(load(folder), ComposeSettings())
    packed = suggesting.packed

    def first(place: Place) -> str | None:
        found = suggesting.suggest(place.asked()).suggestions
        return found[0].text if found else None

    read = [nats(packed, row) for row in rows]
    chosen = drawn(rows, a_mail)
    hits = sum(
        exact(packed.model, packed.vocabulary, each, suggesting.ids(each.asked(), each.before.rstrip(" \t")))
        for each in chosen
    )
    mails = [typed(row, first) for row in rows]
    shown, accepted = sum(each.shown for each in mails), sum(each.accepted for each in mails)
    characters, saved = sum(each.characters for each in mails), sum(each.saved for each in mails)
    words = sum(count for _, count in read)
    return {
        "object": "compose.evaluation",
        "model": packed.version,
        "mails": len(rows),
        "figures": {
            "perplexity_per_word": {"value": perplexity(read), "n": words},
            "exact_match_3": _share(hits, len(chosen)),
            "shown": _share(shown, sum(each.asked for each in mails)),
            "accepted": _share(accepted, shown),
            "characters_saved": {"value": saved / max(1, characters), "n": characters},
        },
    }


def _share(count: int, of: int) -> dict[str, float]:
    if not of:
        return {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}
    found = wilson(count, of)
    return {"value": count / of, "low": found.low, "high": found.high, "n": of}
