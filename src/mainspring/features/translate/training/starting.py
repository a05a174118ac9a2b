"""Learning on from a translator that the recipe made before, as it is served. Importing it needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.translate.engine import card
from mainspring.features.translate.training import served_weights
from mainspring.training.folder import read_json, write_json

SIZES = "start.json"
SHAPE = "m2m100"
"""Weights of another shape are none to start from."""
_SIZES = ("width", "inner", "heads", "encoder_layers", "decoder_layers", "longest")


@dataclass(frozen=True, slots=True)
class Start:
    """A translator to start from."""

    folder: Path
    sizes: Mapping[str, int]
    card: card.Card

    def weights(self) -> Any:
        """By name, as tensors in full precision. Raises ``ModelError``."""
        import torch

        found = served_weights.by_trainer(served_weights.read(self.folder / "model.bin"))
        return {name: torch.from_numpy(each.copy()) for name, each in found.items()}

    def check(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Raises ``InvalidRequest`` for a language that it has no mark for."""
        for row in rows:
            for name in ("from", "to"):
                if row[name] not in self.card.languages:
                    raise InvalidRequest(
                        f"the translator to start from does not know the language {row[name]!r:.20}",
                        remedy=f"It knows {', '.join(self.card.languages)}",
                        param="options.start",
                    )


def found(version: Path | None) -> Start | None:
    """In the folder of a version, or of a translator; None: the run starts from nothing. Raises ``InvalidRequest`` for
    one that the recipe did not make."""
    if version is None:
        return None
    for folder in (version / "translator", version / "output" / "translator", version):
        sizes = read_json(folder / SIZES)
        if sizes is not None and sizes.get("shape") == SHAPE and (folder / "model.bin").exists():
            return Start(folder, {name: int(sizes[name]) for name in _SIZES}, card.read(folder))
    raise InvalidRequest(
        "nothing can learn on from it",
        remedy="What the recipe translate made of late can be learned on from: train it again",
        param="options.start",
    )


def keep(options: Mapping[str, Any], folder: Path) -> None:
    """Write the sizes among ``options`` beside the translator: a run needs them to learn on from it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / SIZES, {"shape": SHAPE, **{name: options[name] for name in _SIZES}})
