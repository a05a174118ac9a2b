"""The model that is served: that of a folder, or the one that comes with the package."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from mainspring.core.errors import ModelError
from mainspring.features.compose.model.decoder import NumpyDecoder, Sizes
from mainspring.features.compose.model.kneser_ney import KneserNey
from mainspring.features.compose.model.layout import SPECIAL
from mainspring.features.compose.model.mixture import Mixture
from mainspring.features.compose.model.search import Vocabulary

WEIGHTS, TOKENIZER, CONFIG, NGRAMS = "model.safetensors", "tokenizer.json", "config.json", "ngrams.npz"
SHARE, PHRASES_SHARE = "share", "phrases_share"
"""The names in ``config.json`` of the decoder's share beside the n-grams, and of that of the phrases beside both."""
PHRASES = "phrases.npz"


@dataclass(frozen=True)
class Packed:
    """A model with its tokenizer. ``version`` is a digest of its files; ``model`` is served: the decoder, or its
    mixture with n-grams."""

    model: NumpyDecoder | Mixture | KneserNey
    tokenizer: Any
    version: str
    sizes: Sizes

    @property
    def decoder(self) -> NumpyDecoder:
        """The decoder alone. Raises ``ModelError``: there are n-grams alone."""
        if isinstance(self.model, KneserNey):
            raise ModelError("these are n-grams without a decoder", remedy="Train a model by the recipe compose")
        found: NumpyDecoder | Mixture = self.model
        while isinstance(found, Mixture):
            found = found.decoder
        return found

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.tokenizer)


def load(folder: str = "") -> Packed:
    """The model of ``folder``, with the files that the recipe ``compose`` makes; empty: the package's. Raises
    ``ModelError``."""
    if folder:
        return _read(Path(folder).expanduser())
    return _read(place())


def place() -> Path:
    """The folder of the package's model."""
    with as_file(files("mainspring.features.compose").joinpath("packaged")) as found:
        return found


def _read(folder: Path) -> Packed:
    from safetensors.numpy import load as load_tensors
    from tokenizers import Tokenizer

    try:
        weights = (folder / WEIGHTS).read_bytes()
        tokenizer_text = (folder / TOKENIZER).read_text(encoding="utf-8")
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder} holds no model of the recipe compose: {error}",
            remedy=f"Name a folder with {WEIGHTS}, {TOKENIZER} and {CONFIG} (compose.folder)",
        ) from None
    sizes = Sizes.read(told)
    tokenizer = Tokenizer.from_str(tokenizer_text)
    if [tokenizer.id_to_token(number) for number in range(len(SPECIAL))] != list(SPECIAL):
        raise ModelError(f"{folder / TOKENIZER} is none of the recipe compose", remedy="Train the model again")
    decoder = NumpyDecoder(sizes, load_tensors(weights))
    digest = hashlib.sha256(weights + tokenizer_text.encode())
    share = float(told.get(SHARE, 1.0))
    model: NumpyDecoder | Mixture = decoder
    for name, own in ((NGRAMS, share), (PHRASES, 1 - float(told.get(PHRASES_SHARE, 0.0)))):
        if 0 < own < 1:
            model = Mixture(model, KneserNey.load(folder / name), own)
            digest.update((folder / name).read_bytes() + str(own).encode())
    return Packed(model, tokenizer, digest.hexdigest()[:12], sizes)
