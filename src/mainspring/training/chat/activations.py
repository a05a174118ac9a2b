"""What a pass of a chat model keeps and takes, counted kernel by kernel. No torch.

Counted is what transformers, peft and trl compute on a processor: autograd keeps the inputs that the pass backwards
needs, attention keeps no scores, and trl's head works through tokens and vocabulary in tiles
(``trl.kernels.chunked_logprob``), so that the logits are never there at once. On a GPU tiles are worked on in place,
and the head takes less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.training.chat.options import (
    DistilOptions,
    PpoOptions,
    PreferenceOptions,
    RewardOptions,
    SftOptions,
    TuneOptions,
)

_FULL, _HALF = 4, 2
TILE_TOKENS = 512
"""Tokens of a tile of trl's head on a processor (``tuning.small_tiles``). Those of trl itself are eight times as many,
which takes 4 GB for a vocabulary of 32,768 words or more."""
_TILE_WORDS = 32_768
"""Words of such a tile. Its buffer has all of them, even if the vocabulary is smaller."""
_TILES = 7.25
"""Tiles in full precision that are there at once while the gradient of one is computed, a mask of bytes among them."""
_IDS = 26
"""Bytes a token of ids, labels, and the sums of the head."""
_SOFT = 3
"""Probabilities of all words that distillation keeps: for the texts, for the teacher's, and the teacher's own."""
_ATTENTION = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a Llama-like model: all ``parameters``, those of its ``embeddings`` (the head's, if it has its own), and each
    matrix of a layer by name as (inputs, outputs). ``heads`` of queries, and of keys; ``normed``: both have norms."""

    parameters: int
    embeddings: int
    layers: int
    matrices: Mapping[str, tuple[int, int]]
    vocabulary: int
    heads: tuple[int, int]
    normed: bool = False

    @property
    def width(self) -> int:
        return self.matrices["q_proj"][0]

    @property
    def inner(self) -> int:
        return self.matrices["gate_proj"][1]


@dataclass(frozen=True, slots=True)
class Pass:
    """What goes through a model at once. ``masked``: rows differ in length, or several are packed into one, so that
    attention has a mask. ``size`` are the bytes of a number in products of matrices, ``residual`` those of the states
    between blocks."""

    rows: int
    length: int
    masked: bool
    size: int
    residual: int

    @property
    def tokens(self) -> int:
        return self.rows * self.length


def of_options(options: TuneOptions) -> Pass:
    """The largest pass: all rows as long as the longest may be."""
    rows = options.batch * (2 if isinstance(options, PreferenceOptions | RewardOptions) else 1)
    half = options.method == "qlora" or options.precision in ("bf16", "fp16")
    residual = _HALF if options.method == "lora" and options.precision == "bf16" else _FULL
    size = _HALF if half else _FULL
    if isinstance(options, SftOptions) and options.packing and not _soft(options):
        return Pass(1, rows * options.length, True, size, residual)
    return Pass(rows, options.length, rows > 1, size, residual)


def kept(found: Sizes, options: TuneOptions, step: Pass) -> float:
    """Bytes that the pass backwards needs of the pass forwards, without weights."""
    adapted = () if options.method == "full" else options.modules
    states = step.tokens * found.width
    # A norm keeps what goes in and its root mean square; one that learns keeps what it scales, too.
    norm = _FULL * (states + step.tokens) + (0 if adapted else states * step.residual)
    total = _head(found, options, step) + norm
    if options.gradient_checkpointing:
        return total + found.layers * states * step.residual
    # What no adapter stands before has no gradient, so that nothing is kept of it in the first layer.
    attention = found.layers - bool(adapted and not set(adapted) & set(_ATTENTION))
    forward = found.layers - (adapted == ("down_proj",))
    # Below the first adapter there is no gradient either: the first norm keeps nothing.
    norms = attention + forward - bool(adapted)
    products = _products(found, step) * forward + _attention(found, step, learns=not adapted) * attention
    cosines = 2 * step.length * found.matrices["q_proj"][1] // found.heads[0] * step.residual
    inputs = found.layers * _inputs(found, options, step)
    return total + norms * norm + products + inputs + cosines + _copies(found, options)


def _attention(found: Sizes, step: Pass, *, learns: bool) -> float:
    """Of one layer: queries, keys and values as the kernel takes them, what it gives, its sums, and its mask. With a
    mask each head of queries has keys and values of its own; those of a single head are shared, not copied."""
    mixed, keys = found.matrices["q_proj"][1], found.matrices["k_proj"][1]
    numbers = 2 * mixed + 2 * (mixed if step.masked and found.heads[1] > 1 else keys)
    each = numbers * step.size + found.heads[0] * _FULL
    if found.normed:
        each += (mixed + keys + sum(found.heads)) * _FULL + (mixed + keys) * step.size * learns
    mask = step.tokens * step.length * step.size if step.masked else 0
    return step.tokens * each + mask


def _products(found: Sizes, step: Pass) -> float:
    """Of one layer: the gate, its activation, and what that is multiplied with."""
    return step.tokens * 3 * found.inner * step.size


def _inputs(found: Sizes, options: TuneOptions, step: Pass) -> float:
    """Of one layer: the inputs of the matrices that learn. In full precision matrices with the same input share it, and
    ``o_proj`` shares what attention gives; in half precision each has a copy, but where the input is in half precision
    anyway and the matrix itself learns. Dropout gives each adapter an input of its own, and keeps its noise."""
    width, inner = found.width, found.inner
    tokens = step.tokens
    if options.method == "full":
        shared = 2 * width if step.size == _FULL else 5 * width
        return tokens * (shared + inner) * step.size
    given = {name: found.matrices[name][0] for name in options.modules}
    numbers = sum(given.values())
    if step.size == _FULL and not options.dropout:
        numbers = width * bool(set(given) & set(_ATTENTION)) + width * bool(set(given) & {"gate_proj", "up_proj"})
        numbers += inner * ("down_proj" in given)
    noise = sum(given.values()) * _FULL if options.dropout else 0
    return tokens * ((numbers + options.rank * len(given)) * step.size + noise)


def _copies(found: Sizes, options: TuneOptions) -> float:
    """Copies in half precision of weights that are in full precision, which the pass backwards reads."""
    if options.method != "qlora" and options.precision not in ("bf16", "fp16"):
        return 0
    matrices = sum(one * other for one, other in found.matrices.values())
    if options.method == "full" or options.precision == "fp16":
        return found.layers * matrices * _HALF
    return found.layers * sum(options.rank * sum(found.matrices[each]) for each in options.modules) * _HALF


def _soft(options: TuneOptions) -> bool:
    return isinstance(options, DistilOptions) and options.level == "logits"


def _head(found: Sizes, options: TuneOptions, step: Pass) -> float:
    """Of the end of a pass."""
    width = step.tokens * found.width
    if isinstance(options, RewardOptions):
        return width * step.size
    if isinstance(options, PpoOptions):
        written = step.rows * options.new_tokens
        return written * (found.vocabulary * _FULL + found.width * step.size)
    if _soft(options):
        learned = options.method == "full"
        copy = found.vocabulary * found.width * _HALF if learned and step.size == _HALF else 0
        return _SOFT * step.tokens * found.vocabulary * _FULL + width * step.size * learned + copy
    # The last token of a row has no next one.
    return (step.tokens - step.rows) * (found.width * step.residual + _IDS)


def taken(found: Sizes, options: TuneOptions, step: Pass) -> float:
    """Bytes that the pass backwards takes for a moment beside all that is kept: most of them for the head, or for the
    gradients of one block."""
    width, tokens = found.width, step.tokens
    block = float(tokens * (found.inner + 2 * width) * _FULL)
    if options.gradient_checkpointing:
        open_ = options.model_copy(update={"gradient_checkpointing": False})
        one = Sizes(0, 0, 1, found.matrices, 0, found.heads, found.normed)
        block += kept(one, open_, step) - _head(one, open_, step)
    if isinstance(options, RewardOptions):
        return block
    if isinstance(options, PpoOptions):
        return max(block, step.rows * found.vocabulary * (step.length * step.size + options.new_tokens * _FULL))
    if _soft(options):
        return max(block, float(5 * tokens * found.vocabulary * _FULL))
    at_once, words = min(tokens - step.rows, TILE_TOKENS), min(found.vocabulary, _TILE_WORDS)
    head = at_once * (_TILE_WORDS * step.size + words * _TILES * _FULL) + tokens * width * _FULL
    if options.method == "full":
        head += found.vocabulary * width * _FULL
    if step.size < step.residual:
        head += words * width * _HALF
    return max(block, head)
