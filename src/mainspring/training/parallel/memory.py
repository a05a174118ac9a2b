"""The memory that training takes, planned beforehand: weights, gradients, the optimiser's state, activations. No torch.

Bytes a parameter are those of the guide's section E.8 and of ZeRO (Rajbhandari et al. 2020): mixed precision keeps
weights in full precision, as AMP does here, and Adam's two moments with them. Activations are what the pass backwards
needs of the pass forwards; they are counted for our own models, kernel by kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.core.errors import InvalidRequest
from mainspring.training.own.models.shape import Shape
from mainspring.training.parallel.layout import Layout, Shard

GIB = 2**30
_FULL, _HALF = 4, 2
_SHARDED: dict[Shard, tuple[str, ...]] = {
    "none": (),
    "optimiser": ("optimiser",),
    "gradients": ("optimiser", "gradients"),
    "weights": ("optimiser", "gradients", "weights"),
}


@dataclass(frozen=True, slots=True)
class BytesEach:
    """Bytes a parameter."""

    weights: float
    gradients: float
    optimiser: float


PRECISIONS = {
    "full": BytesEach(4, 4, 8),
    "mixed": BytesEach(2, 2, 12),
    "half": BytesEach(2, 2, 4),
}
"""Bytes a parameter: ``full`` precision; ``mixed`` as large models are trained (weights and gradients in half, the
optimiser's copy of the weights and its two moments in full precision); all in ``half`` precision, as the guide has
it."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes of one process. ``activations`` are what the pass backwards needs of the pass forwards, ``workspace`` is
    what it takes besides for a moment, at most."""

    weights: float
    gradients: float
    optimiser: float
    activations: float
    workspace: float = 0.0

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimiser + self.activations + self.workspace


def planned(
    parameters: float,
    *,
    precision: str = "full",
    layout: Layout | None = None,
    trained: float | None = None,
    activations: float = 0.0,
    workspace: float = 0.0,
) -> MemoryPlan:
    """Of a model of so many parameters, of which ``trained`` are trained (None: all; LoRA trains few). What tensor and
    pipeline parallelism divide is divided evenly; ``activations`` and ``workspace`` are those of one process. Raises
    ``InvalidRequest`` for an unknown precision."""
    if precision not in PRECISIONS:
        raise InvalidRequest(
            f"there is no precision {precision!r}", remedy=f"Use {', '.join(PRECISIONS)}", param="precision"
        )
    layout, each = layout or Layout(), PRECISIONS[precision]
    held = parameters / (layout.tensor * layout.pipeline)
    learned = (parameters if trained is None else trained) / (layout.tensor * layout.pipeline)
    parts = {
        "weights": held * each.weights,
        "gradients": learned * each.gradients,
        "optimiser": learned * each.optimiser,
    }
    for name in _SHARDED[layout.shard]:
        parts[name] /= layout.data
    return MemoryPlan(**parts, activations=activations, workspace=workspace)


def of_process(
    shape: Shape,
    layout: Layout,
    rows: int,
    length: int,
    *,
    precision: str = "full",
    half: bool = False,
    checkpointing: bool = False,
) -> MemoryPlan:
    """Of the process that holds most of a model of this shape. ``rows`` are those of one pass of a process: with a
    pipeline all of a part of the batch, since GPipe keeps the states of all micro-batches. Embeddings and norms are
    not divided by tensor parallelism, and the first and the last process of a pipeline both have the embedding.
    0 rows: no activations. ``half`` and ``checkpointing`` are those of ``activations``. Raises what that and
    ``Layout.check`` raise."""
    layout.check(shape)
    plans = [
        planned(
            _held(shape, layout, stage),
            precision=precision,
            layout=Layout(layout.data, shard=layout.shard),
            activations=_kept(shape, layout, stage, rows, length, half=half, checkpointing=checkpointing)
            if rows
            else 0,
            workspace=workspace(shape, rows, length, checkpointing=checkpointing, half=half)
            if rows and stage == layout.pipeline - 1
            else 0,
        )
        for stage in range(layout.pipeline)
    ]
    return max(plans, key=lambda each: each.total)


def _held(shape: Shape, layout: Layout, stage: int) -> int:
    """The parameters of a process before the data's processes divide them."""
    blocks = shape.encoders + shape.decoders
    ends = shape.vocabulary * shape.width + (shape.length * shape.width if shape.positions == "learned" else 0)
    last = shape.width * ((shape.encoders > 0) + (shape.decoders > 0))
    crossed = shape.width * shape.decoders if shape.kind == "encoder-decoder" else 0
    norms = 2 * shape.width * blocks + crossed
    matrices = (shape.parameters - ends - last - norms) // layout.tensor
    if layout.pipeline == 1:
        return matrices + norms + ends + last
    own = len(layout.layers_of(stage, shape.layers))
    outer = stage in (0, layout.pipeline - 1)
    return (matrices + norms) * own // shape.layers + ends * outer + last * (stage == layout.pipeline - 1)


def activations(shape: Shape, batch: int, length: int, *, half: bool = False, checkpointing: bool = False) -> float:
    """Bytes that a decoder or an encoder of ours keeps between the passes over ``batch`` texts of ``length`` tokens.

    ``half``: matrices are multiplied in bfloat16 (AMP), which keeps copies of the weights, too. ``checkpointing``: the
    states between blocks alone; one block more is there while it is computed again. Raises ``InvalidRequest`` for an
    encoder beside a decoder.
    """
    return _kept(shape, Layout(), 0, batch, length, half=half, checkpointing=checkpointing)


def workspace(shape: Shape, batch: int, length: int, *, half: bool = False, checkpointing: bool = False) -> float:
    """Bytes that the pass backwards takes for a moment: the gradients of all probabilities, twice; with
    ``checkpointing`` the block that is computed again and its gradients, if that is more."""
    tokens = batch * length
    gradients = tokens * (shape.inner + 2 * shape.width) * _FULL
    block = _block(shape, tokens, 1, half=half) + gradients if checkpointing else 0
    return float(max(2 * tokens * shape.vocabulary * _FULL, block))


def _kept(
    shape: Shape, layout: Layout, stage: int, batch: int, length: int, *, half: bool, checkpointing: bool
) -> float:
    if shape.kind == "encoder-decoder":
        raise InvalidRequest("activations are planned for one stack", remedy="Plan both stacks apart", param="kind")
    tokens, size = batch * length, _HALF if half else _FULL
    states = tokens * shape.width * _FULL
    each = states if checkpointing else _block(shape, tokens, layout.tensor, half=half)
    blocks = len(layout.layers_of(stage, shape.layers)) * each
    if stage < layout.pipeline - 1:
        return float(blocks)
    # The last norm keeps what goes in and what it scales, the head its input and the probabilities of all tokens.
    ends = 2 * states + tokens * (shape.width * size + _FULL + shape.vocabulary * _FULL)
    copies = shape.vocabulary * shape.width * _HALF if half else 0
    return float(blocks + ends + copies)


def _block(shape: Shape, tokens: int, parts: int, *, half: bool) -> float:
    """Bytes that one block keeps, of which tensor parallelism divides into ``parts`` what its matrices give."""
    size, keys, inner = _HALF if half else _FULL, shape.kv_heads * shape.head, shape.inner
    # Both norms keep what goes in, what they scale, and the root mean square, in full precision.
    norms = (4 * shape.width + 2) * _FULL
    # Queries, keys and values as the kernel takes them, what it gives, and its sums; gate, up, the activation of the
    # gate and their product; and the inputs of the matrices. In full precision the first input of each is the norm's.
    whole = 2 * shape.width
    divided = ((8 if half else 5) - 2) * shape.width + 2 * keys + 4 * inner
    copies = 2 * shape.width * shape.width + 2 * shape.width * keys + 3 * shape.width * inner if half else 0
    shared = tokens * (divided * size + shape.heads * _FULL) + copies * _HALF
    return float(tokens * (norms + whole * size) + shared / parts)
