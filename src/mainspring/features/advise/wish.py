"""What an advice is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.features.advise.rule.rows import WAYS, Way


@dataclass(frozen=True, slots=True)
class Tune:
    """That weights may be trained, and for how much: ``seconds`` of training or ``usd``, whichever ends first.
    ``base`` empty: the model that is asked."""

    recipe: str = "sft"
    options: Mapping[str, Any] = field(default_factory=dict)
    base: str = ""
    seconds: float | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """``model`` is asked, trained and has examples; ``collection`` has the facts (empty: none has). ``prompt`` is of
    the registry under which the model is asked. ``questions`` are measured at most, ``shots`` examples stand in a
    prompt. ``changes`` a month of the facts (None: as the collection's documents tell). ``usd_per_hour`` is the price
    of the machine, for what the ledger has no price of (None: ``prices.per_hour``). ``tune`` None: no training."""

    model: str
    collection: str = ""
    prompt: Mapping[str, Any] | None = None
    ways: tuple[Way, ...] = WAYS
    scorer: str = "f1"
    scorer_options: Mapping[str, Any] = field(default_factory=dict)
    questions: int = 100
    shots: int = 4
    max_tokens: int = 256
    seed: int = 1
    queries: float = 1_000.0
    changes: float | None = None
    months: float = 12.0
    margin: float = 0.02
    usd_per_hour: float | None = None
    tune: Tune | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Wish:
        """What ``plain`` made."""
        tune = body.get("tune")
        return cls(**{**body, "ways": tuple(body["ways"]), "tune": None if tune is None else Tune(**tune)})
