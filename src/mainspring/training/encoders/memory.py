"""The memory of a run of an encoder's recipe, planned beforehand from the configuration of its base. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.training.encoders.options import EmbedderOptions, EncoderOptions, ReaderOptions
from mainspring.training.folder import read_json
from mainspring.training.parallel.memory import MemoryPlan, planned

_FULL, _HALF = 4, 2
_TEXTS = 3
"""Texts of a row of an embedder: a query, its passage, and one that does not fit."""


def notes(options: EncoderOptions) -> tuple[str, ...]:
    """What comes besides."""
    return (
        f"activations are those of rows of {options.length} tokens on a processor; shorter rows take less",
        "a GPU keeps no scores of attention",
        "a new head, the best weights so far, and rows in memory come besides",
    )


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """Parameters of a BERT encoder: those of its ``embeddings``, of each ``layer``, and of its ``pooler``; and how wide
    its states, the ``inner`` ones and its attention are."""

    embeddings: int
    layer: int
    layers: int
    pooler: int
    width: int
    inner: int
    heads: int

    @property
    def parameters(self) -> int:
        return self.embeddings + self.layers * self.layer + self.pooler


def sizes(folder: Path, *, pooler: bool) -> EncoderSizes:
    """Of the base in ``folder``. Raises ``Unsupported`` for a folder without its sizes."""
    told = read_json(folder / "config.json") or {}
    try:
        width, inner, layers = (told[each] for each in ("hidden_size", "intermediate_size", "num_hidden_layers"))
        rows, heads = told["vocab_size"] + told["max_position_embeddings"], told["num_attention_heads"]
    except KeyError as error:
        raise Unsupported(f"the base has no {error} in its config.json", param="base") from None
    norm = 2 * width
    attention = 4 * (width * width + width) + norm
    forward = 2 * width * inner + inner + width + norm
    embeddings = (rows + told.get("type_vocab_size", 2)) * width + norm
    head = width * width + width if pooler else 0
    return EncoderSizes(embeddings, attention + forward, layers, head, width, inner, heads)


def trained(found: EncoderSizes, options: EncoderOptions) -> int:
    """The parameters that learn. Raises ``InvalidRequest`` if that is none of the base's layers."""
    if options.freeze >= found.layers:
        raise InvalidRequest(f"the base has {found.layers} layers: freeze fewer", param="options.freeze")
    frozen = found.embeddings + options.freeze * found.layer if options.freeze else 0
    return found.parameters - frozen


def of_run(found: EncoderSizes, options: EncoderOptions) -> MemoryPlan:
    """Weights, gradients and moments in full precision; activations and workspace of the largest batch. Raises what
    ``trained`` raises."""
    plan = planned(found.parameters, trained=trained(found, options), activations=activations(found, options))
    # The gradients of one block are on their way beside all that is kept.
    workspace = _tokens(options) * (found.inner + 2 * found.width) * _FULL
    return replace(plan, workspace=float(workspace))


def _tokens(options: EncoderOptions) -> int:
    """Of the rows that go through at once: the passages of an embedder do, its queries go through before them."""
    return options.batch * options.length * (_TEXTS - 1 if isinstance(options, EmbedderOptions) else 1)


def activations(found: EncoderSizes, options: EncoderOptions) -> float:
    """Bytes that the pass backwards needs of the pass forwards, without weights, on a processor: attention keeps its
    scores there. Rows are as long as they may be."""
    half, width = options.precision != "f32", found.width
    size, learned = _HALF if half else _FULL, found.layers - options.freeze
    tokens = options.batch * options.length * (_TEXTS if isinstance(options, EmbedderOptions) else 1)
    noise = width if options.dropout else 0
    # Inputs of the matrices, which in half precision are a copy for each; queries, keys and values; the inner states
    # before and after their activation; and the noise of both dropouts.
    numbers = (5 if half else 3) * width + 3 * width + 2 * found.inner + 2 * noise
    # Both norms keep what goes in, its mean and its spread, in full precision.
    norm = (width + 2) * _FULL
    scores = found.heads * options.length * (3 if options.dropout else 1)
    block = tokens * ((numbers + scores) * size + 2 * norm)
    embedded = 0 if options.freeze else tokens * (norm + noise * _FULL)
    copies = _copies(found, options) if half else 0
    return float(learned * block + embedded + _ends(found, options, tokens, size) + copies)


def _ends(found: EncoderSizes, options: EncoderOptions, tokens: int, size: int) -> int:
    """What heads keep: in full precision the pooler has all states, though it reads the first alone."""
    states = tokens * found.width
    pooled = states * _FULL if found.pooler and size == _FULL else 0
    if isinstance(options, ReaderOptions):
        pooled += states * (size + (_FULL if options.dropout else 0))
    return pooled


def _copies(found: EncoderSizes, options: EncoderOptions) -> int:
    """Copies of the matrices in half precision. Nothing is below the first layer that learns, if some are frozen: those
    of its queries, keys and values are not needed."""
    square = found.width * found.width
    matrices = (found.layers - options.freeze) * (4 * square + 2 * found.width * found.inner)
    return (matrices + (square if found.pooler else 0) - (3 * square if options.freeze else 0)) * _HALF
