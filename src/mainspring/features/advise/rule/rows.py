"""The ways that an advice tries, and what was measured of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Way = Literal["prompt", "few-shot", "rag", "rag-written", "fine-tune", "both"]
WAYS: tuple[Way, ...] = ("prompt", "few-shot", "rag", "rag-written", "fine-tune", "both")
"""In the order of what they ask of a person: among equals that cost the same, the earlier one is recommended."""
DOCUMENTS: frozenset[Way] = frozenset({"rag", "rag-written", "both"})
"""Ways whose facts stand in documents, and change with them."""
WEIGHTS_ALONE: Way = "fine-tune"
"""Its facts stand in weights, and stay as they were until it is trained again."""
Unit = Literal["usd", "seconds"]
"""The unit of costs: US dollars, or seconds of the machine where nothing has a price."""

ABOUT: Mapping[Way, str] = {
    "prompt": "The model as it is. It changes at once and costs nothing to begin with: whatever else is done has to "
    "be better than this.",
    "few-shot": "Examples of good answers stand in the prompt. They show form and tone; each query pays for them.",
    "rag": "The collection answers as it is set up. Facts come from documents, with sources, and change with them; "
    "form and tone stay the writer's.",
    "rag-written": "The model writes its answers from passages of the collection. Facts come from documents; each "
    "query pays for reading them.",
    "fine-tune": "The weights learn from answers. Tone, format and jargon become the model's own; facts stay as they "
    "were until it is trained again.",
    "both": "Documents say what, trained weights say how. It costs what both cost.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A way as it was tried. ``scores`` are those of the sample's questions, in one order for all ways (None: there is
    none). Per query: ``usd`` as the ledger counted it, ``seconds`` (the median) and ``tokens`` written. Upfront and for
    each change of the facts: US dollars and seconds of the machine. ``reason``: why it was not ``tried``. Not
    ``priced``: some of its US dollars are 0 because nobody knows them."""

    way: Way
    tried: bool = False
    reason: str = ""
    command: str = ""
    name: str = ""
    scores: Sequence[float | None] = ()
    failed: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    tokens: float = 0.0
    upfront_usd: float = 0.0
    upfront_seconds: float = 0.0
    renewal_usd: float = 0.0
    renewal_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    priced: bool = True

    def known(self, unit: Unit) -> bool:
        """Whether its costs are."""
        return self.priced or unit == "seconds"

    def per_query(self, unit: Unit) -> float:
        return self.usd if unit == "usd" else self.seconds

    def upfront(self, unit: Unit) -> float:
        return self.upfront_usd if unit == "usd" else self.upfront_seconds

    def renewal(self, unit: Unit) -> float:
        """What one change of the facts costs."""
        return self.renewal_usd if unit == "usd" else self.renewal_seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """For what the ways are weighed. ``changes``: how often facts change in a month of 30 days (None: unknown).
    ``margin``: a difference of quality that does not matter. ``months``: over how many what comes first is spread."""

    queries: float = 1_000.0
    changes: float | None = None
    months: float = 12.0
    margin: float = 0.02
    confidence: float = 0.95
    clusters: Sequence[str] = field(default_factory=tuple)


def plain(row: Row) -> dict[str, Any]:
    """As JSON values, without scores."""
    import dataclasses

    told = dataclasses.asdict(dataclasses.replace(row, scores=()))
    del told["scores"]
    return {**told, "notes": list(row.notes)}
