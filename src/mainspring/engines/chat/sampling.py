"""Token sampling as pure numpy functions: the reference for every engine.

Logits and log-probabilities are float64 arrays of shape (vocabulary,). A token that is left out has a logit of minus
infinity. The order is the one of transformers and vLLM: penalties, temperature, top-k, top-p, min-p. Sources: Ackley et
al. 1985 (temperature), Fan et al. 2018 (top-k), Holtzman et al. 2020 (top-p), Nguyen et al. 2024 (min-p), Keskar et
al. 2019 (repetition penalty), OpenAI's API (presence and frequency penalties).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.core.types import Sampling

Floats = NDArray[np.float64]
_NONE = -np.inf


def softmax(logits: ArrayLike) -> Floats:
    """Probabilities of ``logits``: they sum to one."""
    values = np.asarray(logits, np.float64)
    shifted = np.exp(values - values.max())
    return np.asarray(shifted / shifted.sum(), np.float64)


def tempered(logits: ArrayLike, temperature: float) -> Floats:
    """``logits`` over ``temperature``; at 0 the likeliest token alone is left (the first of equals)."""
    values = np.asarray(logits, np.float64)
    if temperature > 0:
        return np.asarray(values / temperature, np.float64)
    greedy = np.full_like(values, _NONE)
    greedy[values.argmax()] = 0.0
    return greedy


def top_k(logits: ArrayLike, k: int) -> Floats:
    """The ``k`` likeliest tokens; 0 keeps all. The earlier of two equal tokens is kept."""
    values = np.asarray(logits, np.float64)
    if not 0 < k < values.size:
        return values
    return _kept(values, _ranked(values)[:k])


def top_p(logits: ArrayLike, p: float) -> Floats:
    """The nucleus: the smallest set of likeliest tokens whose probabilities sum to ``p`` or more."""
    values = np.asarray(logits, np.float64)
    order = _ranked(values)
    before = np.cumsum(softmax(values)[order])
    # Sums of floats miss the bound by their last bit: .5 + .4 must reach .9.
    size = int(np.searchsorted(before, p - 1e-12)) + 1
    return _kept(values, order[:size])


def min_p(logits: ArrayLike, p: float) -> Floats:
    """Tokens that are at least ``p`` times as likely as the likeliest."""
    values = np.asarray(logits, np.float64)
    chances = softmax(values)
    return np.where(chances >= p * chances.max() - 1e-15, values, _NONE)


def penalised(
    logits: ArrayLike,
    prompt: Sequence[int],
    generated: Sequence[int],
    *,
    repetition: float = 1.0,
    presence: float = 0.0,
    frequency: float = 0.0,
) -> Floats:
    """``logits`` less likely for tokens that have occurred.

    ``repetition`` divides positive logits and multiplies negative ones, of tokens in the prompt too; ``presence`` is
    subtracted once and ``frequency`` for each time, of generated tokens alone.
    """
    values = np.array(logits, np.float64)
    seen = np.unique(np.asarray([*prompt, *generated], np.int64))
    values[seen] = np.where(values[seen] > 0, values[seen] / repetition, values[seen] * repetition)
    counts = np.bincount(np.asarray(generated, np.int64), minlength=values.size)
    return np.asarray(values - presence * (counts > 0) - frequency * counts, np.float64)


def distribution(
    logits: ArrayLike, sampling: Sampling, prompt: Sequence[int] = (), generated: Sequence[int] = ()
) -> Floats:
    """The probabilities of the next token under ``sampling``; an unset field changes nothing."""
    values = penalised(
        logits,
        prompt,
        generated,
        repetition=_or(sampling.repetition_penalty, 1.0),
        presence=_or(sampling.presence_penalty, 0.0),
        frequency=_or(sampling.frequency_penalty, 0.0),
    )
    values = tempered(values, _or(sampling.temperature, 1.0))
    values = top_k(values, sampling.top_k or 0)
    values = top_p(values, _or(sampling.top_p, 1.0))
    return softmax(min_p(values, _or(sampling.min_p, 0.0)))


def draw(probabilities: Floats, generator: np.random.Generator) -> int:
    """One token."""
    return int(generator.choice(probabilities.size, p=probabilities))


@dataclass(frozen=True, slots=True)
class Beam:
    """A continuation and the sum of its tokens' log-probabilities."""

    tokens: tuple[int, ...]
    score: float
    ended: bool = False


def beam_search(
    after: Callable[[tuple[int, ...]], Floats], *, width: int, length: int, end: int | None = None
) -> list[Beam]:
    """The ``width`` likeliest continuations of at most ``length`` tokens that are found, best first.

    ``after(tokens)`` gives the log-probabilities of the next token. Every step extends all beams and keeps the best by
    their whole score; ``end`` completes one. Scores are not divided by length. Width 1 is greedy search.
    """
    beams = [Beam((), 0.0)]
    for _ in range(length):
        candidates = [beam for beam in beams if beam.ended]
        for beam in beams:
            if beam.ended:
                continue
            chances = after(beam.tokens)
            for token in _ranked(chances)[:width]:
                score = beam.score + float(chances[token])
                if score > _NONE:
                    candidates.append(Beam((*beam.tokens, int(token)), score, int(token) == end))
        beams = sorted(candidates, key=lambda beam: -beam.score)[:width]
        if all(beam.ended for beam in beams):
            break
    return beams


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _ranked(values: Floats) -> NDArray[np.int64]:
    """Tokens from the likeliest down."""
    return np.argsort(-values, kind="stable")


def _kept(values: Floats, tokens: NDArray[np.int64]) -> Floats:
    kept = np.full_like(values, _NONE)
    kept[tokens] = values[tokens]
    return kept
