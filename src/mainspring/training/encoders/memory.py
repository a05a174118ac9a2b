"""The memory of a run of an encoder's recipe, planned beforehand from the configuration of its base. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.training.encoders.options import EncoderOptions
from mainspring.training.folder import read_json
from mainspring.training.parallel.memory import MemoryPlan, planned

NOTES = (
    "activations are not counted: they grow with batch * length of the longest rows, less so with freeze",
    "a new head, the best weights so far, and rows in memory come besides",
)


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """Parameters of a BERT encoder: those of its ``embeddings``, of each ``layer``, and of its ``pooler``."""

    embeddings: int
    layer: int
    layers: int
    pooler: int

    @property
    def parameters(self) -> int:
        return self.embeddings + self.layers * self.layer + self.pooler


def sizes(folder: Path, *, pooler: bool) -> EncoderSizes:
    """Of the base in ``folder``. Raises ``Unsupported`` for a folder without its sizes."""
    told = read_json(folder / "config.json") or {}
    try:
        width, inner, layers = (told[each] for each in ("hidden_size", "intermediate_size", "num_hidden_layers"))
        rows = told["vocab_size"] + told["max_position_embeddings"]
    except KeyError as error:
        raise Unsupported(f"the base has no {error} in its config.json", param="base") from None
    norm = 2 * width
    attention = 4 * (width * width + width) + norm
    forward = 2 * width * inner + inner + width + norm
    embeddings = (rows + told.get("type_vocab_size", 2)) * width + norm
    return EncoderSizes(embeddings, attention + forward, layers, width * width + width if pooler else 0)


def trained(found: EncoderSizes, options: EncoderOptions) -> int:
    """The parameters that learn. Raises ``InvalidRequest`` if that is none of the base's layers."""
    if options.freeze >= found.layers:
        raise InvalidRequest(f"the base has {found.layers} layers: freeze fewer", param="options.freeze")
    frozen = found.embeddings + options.freeze * found.layer if options.freeze else 0
    return found.parameters - frozen


def of_run(found: EncoderSizes, options: EncoderOptions) -> MemoryPlan:
    """Weights, gradients and moments, in full precision."""
    return planned(found.parameters, trained=trained(found, options))
