"""Checks a request against an engine: sampling values are in range, and no parameter would be ignored."""

from __future__ import annotations

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import ChatRequest, Sampling
from mainspring.engines.base import Capabilities

MAX_STOPS = 16
MAX_STOP_CHARS = 256

# name -> (lowest, highest); both belong to the range.
_RANGES: dict[str, tuple[float, float]] = {
    "max_tokens": (1, 2**31 - 1),
    "temperature": (0, 2),
    "top_p": (1e-6, 1),
    "top_k": (0, 2**31 - 1),
    "min_p": (0, 1),
    "repetition_penalty": (0.1, 10),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "seed": (0, 2**63 - 1),
    "n": (1, 128),
    "logprobs": (0, 20),
    "beams": (1, 128),
}
_OPTIONAL = (
    *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"),
    *("stop", "ignore_eos", "logit_bias"),
)


def check_images(request: ChatRequest, capabilities: Capabilities, model: str) -> None:
    """Raises ``Unsupported`` for pictures that the model does not read."""
    if any(message.images for message in request.messages) and not capabilities.images:
        raise Unsupported(
            f"{model} reads no pictures",
            remedy="Send what they show as text, or ask a remote model that is set up with images: true",
            param="messages",
        )


def check(sampling: Sampling, capabilities: Capabilities, engine: str) -> None:
    """Raise ``InvalidRequest`` for a value out of range and ``Unsupported`` for what ``engine`` cannot honour,
    with ``param`` naming the field."""
    _check_ranges(sampling)
    for name in _OPTIONAL:
        if getattr(sampling, name) not in (None, (), False) and name not in capabilities.parameters:
            raise _unsupported(name, engine, f"it takes {', '.join(sorted(capabilities.parameters)) or 'none'}")
    if sampling.seed is not None and capabilities.seed == "none":
        raise _unsupported("seed", engine, "leave it out")
    if sampling.n > capabilities.max_choices:
        raise _unsupported("n", engine, f"it gives at most {capabilities.max_choices} choices")
    if sampling.beams > capabilities.max_beams:
        raise _unsupported("num_beams", engine, f"it searches with at most {capabilities.max_beams} beams")
    if sampling.logprobs is not None and (capabilities.logprobs is None or sampling.logprobs > capabilities.logprobs):
        most = "none" if capabilities.logprobs is None else f"at most {capabilities.logprobs} a token"
        raise _unsupported("logprobs", engine, f"it gives {most}")
    if sampling.prompt_logprobs and not capabilities.prompt_logprobs:
        raise Unsupported(
            f"engine {engine} does not tell the log-probabilities of a prompt",
            remedy="Serve the model with OpenVINO and engines.prefix_cache: false, or leave echo or logprobs out",
            param="echo",
        )
    if sampling.grammar and sampling.grammar.kind not in capabilities.grammars:
        kinds = ", ".join(sorted(capabilities.grammars)) or "no grammars"
        raise _unsupported("response_format", engine, f"it takes {kinds}")


def _check_ranges(sampling: Sampling) -> None:
    for name, (lowest, highest) in _RANGES.items():
        value = getattr(sampling, name)
        # Not a number (NaN) is in no range either.
        if value is not None and not lowest <= value <= highest:
            raise InvalidRequest(f"{name} must lie between {lowest} and {highest}, not {value}", param=name)
    if len(sampling.stop) > MAX_STOPS:
        raise InvalidRequest(f"stop has more than {MAX_STOPS} strings", param="stop")
    if not all(0 < len(text) <= MAX_STOP_CHARS for text in sampling.stop):
        raise InvalidRequest(f"stop strings must have 1 to {MAX_STOP_CHARS} characters", param="stop")


def _unsupported(name: str, engine: str, instead: str) -> Unsupported:
    return Unsupported(f"engine {engine} cannot honour {name}", remedy=f"With this model {instead}", param=name)
