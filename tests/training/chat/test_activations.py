"""What a pass keeps and takes is what was measured once; the tests of torch measure it again."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mainspring.training.chat.activations import Sizes, kept, of_options, taken
from mainspring.training.chat.options import (
    DistilOptions,
    GrpoOptions,
    PpoOptions,
    PreferenceOptions,
    RewardOptions,
    SftOptions,
    TuneOptions,
)


def sizes(words: int = 1_000, *, normed: bool = False, layers: int = 3) -> Sizes:
    """Of a small model: 96 wide, six heads of queries and two of keys."""
    wide, narrow = (96, 96), (96, 32)
    matrices = {"q_proj": wide, "k_proj": narrow, "v_proj": narrow, "o_proj": wide}
    matrices |= {"gate_proj": (96, 256), "up_proj": (96, 256), "down_proj": (256, 96)}
    return Sizes(0, 0, layers, matrices, words, (6, 2), normed)


FULL, HALF = {"precision": "fp32", "batch": 4, "length": 40}, {"precision": "bf16", "batch": 4, "length": 40}
MEASURED: tuple[tuple[type[TuneOptions], dict[str, Any], int, int], ...] = (
    (SftOptions, {"method": "full", **FULL}, 4_094_088, 29_508_248),
    (SftOptions, FULL, 3_815_688, 28_847_296),
    (SftOptions, HALF, 2_623_496, 17_431_488),
    (SftOptions, {"method": "full", **HALF}, 3_385_992, 18_798_488),
    (SftOptions, {"gradient_checkpointing": True, **FULL}, 309_128, 25_367_744),
    (SftOptions, {"gradient_checkpointing": True, **HALF}, 187_016, 15_019_456),
    (PreferenceOptions, {**FULL, "batch": 2}, 3_815_688, 28_847_296),
)
"""Bytes by torch 2.13, transformers 5.24, peft 0.21 and trl 1.16 with rows of different lengths: those that autograd
keeps, and the most at a moment."""


@pytest.mark.parametrize(("kind", "options", "saved", "most"), MEASURED)
def test_the_plan_is_what_was_measured(kind: type[TuneOptions], options: dict[str, Any], saved: int, most: int) -> None:
    chosen = kind(**options)
    step = of_options(chosen)
    keeps = kept(sizes(), chosen, step)
    assert keeps == pytest.approx(saved, rel=0.02)
    assert keeps + taken(sizes(), chosen, step) == pytest.approx(most, rel=0.02)


def test_a_large_vocabulary_is_worked_through_in_tiles() -> None:
    """157 MB of 161 are there for a moment, and no logits of 40,000 words are kept."""
    options = SftOptions(**HALF)
    step = of_options(options)
    assert kept(sizes(40_000), options, step) == kept(sizes(), options, step)
    assert taken(sizes(40_000), options, step) == pytest.approx(161_149_920 - 2_623_496, rel=0.02)
    most = [taken(sizes(40_000), each, of_options(each)) for each in (SftOptions(batch=1), SftOptions(batch=4))]
    assert most[1] < 1.01 * most[0]


def test_keys_of_one_head_are_not_copied_for_each_of_the_queries() -> None:
    options, several = SftOptions(**FULL), sizes()
    narrow = {"k_proj": (96, 16), "v_proj": (96, 16)}
    one = replace(several, heads=(6, 1), matrices={**several.matrices, **narrow})
    plain, single = (kept(each, options, of_options(options)) for each in (several, one))
    assert plain - single == 3 * 160 * 2 * (96 - 16) * 4


def test_what_recipes_compute_at_once() -> None:
    plain, pairs = of_options(SftOptions()), of_options(PreferenceOptions())
    assert (plain.rows, pairs.rows, of_options(RewardOptions()).rows) == (4, 8, 8)
    packed = of_options(SftOptions(packing=True))
    assert (packed.rows, packed.length, packed.masked) == (1, 4 * 1024, True)
    assert not of_options(SftOptions(batch=1)).masked
    # A packed row has a mask over all of its tokens.
    assert kept(sizes(), SftOptions(packing=True), packed) > 1.5 * kept(sizes(), SftOptions(), plain)


def test_recipes_that_keep_the_probabilities_of_all_words_take_more() -> None:
    words, many = sizes(10_000), {"precision": "fp32", "length": 64}

    def most(options: TuneOptions) -> float:
        return kept(words, options, of_options(options))

    base = most(SftOptions(**many))
    logits = DistilOptions(level="logits", teacher="large", **many)
    assert most(logits) - base == pytest.approx(3 * 4 * 64 * 10_000 * 4, rel=0.02)
    assert most(DistilOptions(**many)) == base
    grpo, ppo = (kind(batch=4, new_tokens=16, **many) for kind in (GrpoOptions, PpoOptions))
    assert most(grpo) == base
    assert most(ppo) - base == pytest.approx(4 * 16 * 10_000 * 4, rel=0.1)


def test_adapters_keep_the_inputs_of_their_matrices_alone() -> None:
    def most(**options: Any) -> float:
        chosen = SftOptions(**{**FULL, **options})
        return kept(sizes(layers=40), chosen, of_options(chosen))

    some, every = most(modules=("q_proj", "v_proj")), most()
    assert some < every
    # With dropout each has an input of its own, and noise.
    assert most(dropout=0.1) - every == 40 * 160 * (2 * (6 * 96 + 256) - (96 + 96 + 256)) * 4
    # An input of the gate and one of what is multiplied down are not there.
    assert every - some == pytest.approx(40 * 160 * (96 + 256 + 5 * 16) * 4, rel=0.01)


def test_norms_of_queries_and_keys_keep_both() -> None:
    options = SftOptions(**HALF)
    plain, normed = (kept(sizes(normed=each), options, of_options(options)) for each in (False, True))
    assert normed - plain == 3 * 160 * (96 + 32 + 6 + 2) * 4


@pytest.mark.torch
@pytest.mark.parametrize("number", [1, 4, 7, 8, 9, 11, 13, 16, 18])
def test_a_step_keeps_and_takes_what_is_planned(number: int) -> None:
    from memory_plan import CHAT, errors

    assert max(errors([CHAT[number]]).values()) < 0.1


@pytest.mark.torch
def test_rows_of_one_length_have_no_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    from _step_memory import Step, llama, measured
    from memory_plan import planned_of

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    step = Step("sft", llama(96, 3, (6, 1), 256, 1_000), 1, 200, {"precision": "bf16"})
    with tempfile.TemporaryDirectory() as name:
        found = measured(step, Path(name))
        assert planned_of(step, Path(name) / "base").activations == pytest.approx(found.activations, rel=0.03)
