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
SHARE = "share"
"""The name in ``config.json`` of the decoder's share beside the n-grams."""


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
        return self.model.decoder if isinstance(self.model, Mixture) else self.model

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.tokenizer)


def load(folder: str = "") -> Packed:
    """The model of ``folder``, with the files that the recipe ``compose`` makes; empty: the package's. Raises
    ``ModelError``."""
    if folder:
        return _read(Path(folder).expanduser())
    with as_file(files("mainspring.features.compose").joinpath("packaged")) as found:
        return _read(found)


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
    if not 0 < share < 1:
        return Packed(decoder, tokenizer, digest.hexdigest()[:12], sizes)
    ngrams = KneserNey.load(folder / NGRAMS)
    digest.update((folder / NGRAMS).read_bytes() + str(share).encode())
    return Packed(Mixture(decoder, ngrams, share), tokenizer, digest.hexdigest()[:12], sizes)
