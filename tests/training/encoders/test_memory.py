"""The plan of an encoder's run is what was measured once; the tests of torch measure it again."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.training.encoders.memory import EncoderSizes, of_run
from mainspring.training.encoders.options import (
    EmbedderOptions,
    EncoderOptions,
    NliOptions,
    ReaderOptions,
    RerankerOptions,
)


def sizes(pooler: int = 9_312) -> EncoderSizes:
    """Of a small encoder: 96 wide, three layers, six heads."""
    return EncoderSizes(145_536, 87_072, 3, pooler, 96, 256, 6)


FULL, HALF = {"precision": "f32", "batch": 4, "length": 40}, {"precision": "bf16", "batch": 4, "length": 40}
MEASURED: tuple[tuple[type[EncoderOptions], dict[str, Any], int, int], ...] = (
    (RerankerOptions, FULL, 4_413_216, 4_601_760),
    (RerankerOptions, HALF, 3_149_280, 3_401_816),
    (RerankerOptions, {"freeze": 1, **FULL}, 2_876_960, 3_072_152),
    (RerankerOptions, {"freeze": 1, **HALF}, 1_964_256, 2_277_264),
    (NliOptions, {"dropout": 0.0, **HALF}, 2_441_620, 2_695_256),
    (ReaderOptions, FULL, 4_537_636, 4_601_760),
    (EmbedderOptions, FULL, 8_986_452, 9_395_440),
    (EmbedderOptions, HALF, 6_228_564, 6_774_184),
)
"""Bytes by torch 2.13 and transformers 5.24: those that autograd keeps, and the most at a moment."""


@pytest.mark.parametrize(("kind", "options", "saved", "most"), MEASURED)
def test_the_plan_is_what_was_measured(
    kind: type[EncoderOptions], options: dict[str, Any], saved: int, most: int
) -> None:
    plan = of_run(sizes(0 if kind is EmbedderOptions else 9_312), kind(**options))
    assert plan.activations == pytest.approx(saved, rel=0.01)
    assert plan.activations + plan.workspace == pytest.approx(most, rel=0.05)


def test_scores_grow_with_the_square_of_the_length() -> None:
    once, twice = (of_run(sizes(), RerankerOptions(length=each)).activations for each in (2_048, 4_096))
    assert 3.5 < twice / once < 4


@pytest.mark.torch
@pytest.mark.parametrize("number", [0, 2, 3, 5, 8])
def test_a_step_keeps_and_takes_what_is_planned(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from memory_plan import ENCODERS, errors

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert max(errors([ENCODERS[number]]).values()) < 0.1
