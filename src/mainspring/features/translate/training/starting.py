"""Learning on from a translator that the recipe made before: its weights as they were before they were packed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import M2M100ForConditionalGeneration

from mainspring.core.errors import InvalidRequest
from mainspring.features.translate.engine import card
from mainspring.features.translate.training.options import TranslateOptions
from mainspring.training.folder import read_json, write_json

WEIGHTS, SIZES = "start.pt", "start.json"
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
        """By name, in full precision."""
        kept = torch.load(self.folder / WEIGHTS, weights_only=True)
        return {name: each.float() for name, each in kept.items()}

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
    """In the folder of a version; None: the run starts from nothing. Raises ``InvalidRequest`` for one whose weights
    were not kept."""
    if version is None:
        return None
    for folder in (version / "translator", version / "output" / "translator"):
        sizes = read_json(folder / SIZES)
        if sizes is not None and sizes.get("shape") == SHAPE and (folder / WEIGHTS).exists():
            return Start(folder, {name: int(sizes[name]) for name in _SIZES}, card.read(folder))
    raise InvalidRequest(
        "the version has no weights to start from",
        remedy="Those that the recipe translate made of late have them: train it again",
        param="options.start",
    )


def options_of(options: TranslateOptions, start: Start | None) -> TranslateOptions:
    """With the sizes of what it starts from."""
    return options if start is None else options.model_copy(update=dict(start.sizes))


def keep(model: M2M100ForConditionalGeneration, options: TranslateOptions, folder: Path) -> None:
    """Write the weights beside the translator: half of the bits are enough to learn on from."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({name: each.to(torch.bfloat16) for name, each in model.state_dict().items()}, folder / WEIGHTS)
    write_json(folder / SIZES, {"shape": SHAPE, **{name: getattr(options, name) for name in _SIZES}})
