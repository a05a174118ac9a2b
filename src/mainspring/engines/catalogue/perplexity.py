"""The gate that conversions pass: perplexity over a fixed text, through OpenVINO, against a reference.

Greedy text says nothing (two correct quantisations of one model agree on one prompt in eight); perplexity tells a good
conversion (within 0.1 %) from a ruined one (a quarter off). The reference is the perplexity of the dequantised source
weights: from the catalogue if it was measured in advance, else computed by ``reference_forward``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import ConversionRejected, ModelError

TOLERANCE = 0.03
SERVED = {"INFERENCE_PRECISION_HINT": "bf16"}
"""The engine's default precision (``engines.precision``)."""
_BLOCKS = 64

# References in catalogues are measured over exactly this text: changing a letter makes them all wrong.
TEXT = """\
The water mill at the bend of the river had stood idle for eleven years when the two sisters bought it. They
had seen it first in winter, with ice on the wheel and snow on the sill of every broken window, and they had
agreed before they reached the road again that it would be theirs. The price was low, because nobody else had
asked, and because the roof let in the rain over the room where the grain had once been weighed.

Repairs took most of the first summer. A carpenter from the next village replaced the rotten beams and taught
them how to tell sound oak from oak that only looks sound: you strike it with a hammer and listen. The wheel
itself needed forty new paddles. They cut them from larch, which lasts well in water, and fastened each one
with bolts rather than nails so that a damaged paddle could be changed in less than an hour. When the sluice
was opened for the first time, the wheel turned half a revolution, stopped, and then, as the buckets filled,
began to move with a slow and steady sound that could be heard across the meadow.

An old machine of this kind produces about five kilowatts of power when the river is high, and about half of
that in August. This is enough to grind four hundred kilograms of flour in a day, or to light the house and
heat its water, but not both at the same time. The sisters keep a notebook in which they write down the level
of the river every morning, the number of hours that the stones have run, and what was sold. After three years
the notebook shows that bread flour pays for the repairs, that rye is worth growing only in dry years, and
that the best customers are the ones who come on foot, because they stay to talk and always return with a
friend."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A perplexity and the token ids that it was measured over."""

    perplexity: float
    ids: tuple[int, ...]


def measure(model: Path, text: str = TEXT) -> Measured:
    """Perplexity of ``text`` under an IR directory or a GGUF file, in the numeric form in which it is served: bf16
    where the processor has it, and the engine's own rounding of activations and of the KV cache.

    Loads the model into this process: a damaged file can end it, so call this in a child.
    Raises ``ModelError`` when OpenVINO refuses the model.
    """
    return measured_texts(model, (text,))[0]


def measured_texts(model: Path, texts: Sequence[str]) -> list[Measured]:
    """The same of several texts, one after the other."""
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = 0
    scheduler.num_kv_blocks = _BLOCKS
    scheduler.enable_prefix_caching = False
    try:
        pipeline = genai.ContinuousBatchingPipeline(str(model), scheduler, "CPU", dict(SERVED))
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot load {model.name}: {first_line(error)}") from None
    return [_measured(pipeline, model.name, text) for text in texts]


def _measured(pipeline: Any, name: str, text: str) -> Measured:
    import openvino_genai as genai

    config = genai.GenerationConfig()
    config.max_new_tokens = 1
    config.echo = True
    config.logprobs = 1
    config.ignore_eos = True
    config.apply_chat_template = False
    handle = pipeline.add_request(0, text, config)
    while pipeline.has_non_finished_requests():
        pipeline.step()
    if not handle.can_read() or handle.get_status() != genai.GenerationStatus.FINISHED:
        raise ModelError(f"OpenVINO did not read {len(text)} characters with {name}")
    output = handle.read_all()[0]
    # The first token has nothing before it and the last one is generated.
    ids = tuple(output.generated_ids[:-1])
    likelihoods = output.generated_log_probs[1 : len(ids)]
    return Measured(math.exp(-math.fsum(likelihoods) / len(likelihoods)), ids)


def gate(name: str, measured: float, reference: float, tolerance: float = TOLERANCE) -> None:
    """Raise ``ConversionRejected`` unless ``measured`` is within ``tolerance`` (relative) of ``reference``."""
    if not math.isfinite(measured) or abs(measured / reference - 1) > tolerance:
        raise ConversionRejected(
            f"{name} has perplexity {measured:.2f} after conversion and {reference:.2f} before it: refused",
            remedy="Serve it with engines.kind: llamacpp, or choose another file of this model",
        )


def first_line(error: BaseException) -> str:
    """The first line of a native exception that says something."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return (said or lines or [type(error).__name__])[0][:300]
