"""What a run made of its figures, files and notes: the common end of the encoders' recipes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mainspring.training.encoders import weights
from mainspring.training.encoders.figures import Figures
from mainspring.training.encoders.loop import Progress
from mainspring.training.recipe import Made, Makes


def made(
    makes: Makes,
    files: Sequence[str],
    after: Figures,
    before: Figures,
    entry: Mapping[str, Any],
    fitted: Progress,
    *,
    notes: Iterable[str] = (),
    value: Mapping[str, Any] | None = None,
) -> Made:
    """``fitted`` says how many steps there were."""
    steps = f"{fitted.step} steps, the best at {fitted.best_step or fitted.step}"
    return Made(
        makes=makes,
        files=tuple(files),
        figures=after.values,
        intervals=after.intervals,
        counted=after.counted,
        before=before.values,
        entry=entry,
        value=value or {},
        notes=(*notes, steps),
    )


def entry(kind: str, base: weights.Base, length: int, **more: Any) -> dict[str, Any]:
    """The fields of the catalogue's entry, without sources and licence."""
    return {
        "kind": kind,
        "format": "safetensors",
        "convert": ["encoder"],
        "files": [{"name": name} for name in weights.FILES],
        "context_window": int(base.config["max_position_embeddings"]),
        "max_tokens": length,
        **more,
    }
