"""Learning on from a model of mails that the recipe ``compose`` made before. Importing it needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import InvalidRequest
from mainspring.training.folder import read_json

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.f32.safetensors", "tokenizer.json"
"""Its sizes, its weights before they were rounded, and its tokens."""
_SIZES = ("vocabulary", "width", "layers", "heads", "kv_heads", "hidden", "length")


@dataclass(frozen=True, slots=True)
class Start:
    """A model to start from, with its ``sizes`` by the names of options."""

    folder: Path
    sizes: Mapping[str, int]

    @property
    def tokenizer(self) -> Path:
        return self.folder / TOKENIZER

    @property
    def weights(self) -> Path:
        """In full precision, by name."""
        return self.folder / WEIGHTS


def found(version: Path | None) -> Start | None:
    """In the folder of a version; None: the run starts from nothing. Raises ``InvalidRequest`` for one without whole
    weights, such as phrases beside the server's model."""
    if version is None:
        return None
    for folder in (version, version / "output"):
        told = read_json(folder / CONFIG)
        if told is not None and all((folder / name).exists() for name in (WEIGHTS, TOKENIZER)):
            return Start(folder, {name: int(told[name]) for name in _SIZES})
    raise InvalidRequest(
        "the version has no weights to start from",
        remedy="Name one that the recipe compose made",
        param="options.start",
    )
