"""The definitions of sampling, against worked examples of the design guide (with its arithmetic put right)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mainspring.core.types import Sampling
from mainspring.engines.chat import sampling

# "The cat sat on the": mat, floor, couch, table, roof; the rest of the vocabulary shares a tenth.
CAT = np.log(np.array([0.35, 0.25, 0.15, 0.10, 0.05] + [0.1 / 1000] * 1000))
LOGITS = arrays(np.float64, st.integers(2, 40), elements=st.floats(-20, 20, allow_nan=False))


def test_temperature_half_sharpens() -> None:
    whole = sampling.softmax(sampling.tempered(CAT, 0.5))
    assert whole[:5] == pytest.approx([0.557, 0.284, 0.102, 0.045, 0.011], abs=6e-4)
    of_five = sampling.softmax(sampling.tempered(CAT[:5], 0.5))
    assert of_five == pytest.approx([0.557, 0.284, 0.102, 0.045, 0.011], abs=6e-4)


def test_temperature_three_halves_flattens() -> None:
    of_five = sampling.softmax(sampling.tempered(CAT[:5], 1.5))
    assert of_five == pytest.approx([0.325, 0.26, 0.185, 0.141, 0.089], abs=6e-4)


def test_temperature_one_and_zero() -> None:
    assert sampling.softmax(sampling.tempered(CAT, 1.0)) == pytest.approx(np.exp(CAT))
    assert sampling.softmax(sampling.tempered(CAT, 0.0)).tolist() == [1.0, *[0.0] * 1004]


def test_top_five_of_the_cat() -> None:
    kept = sampling.softmax(sampling.top_k(CAT, 5))
    assert kept[:5] == pytest.approx([0.389, 0.278, 0.167, 0.111, 0.056], abs=6e-4)
    assert not kept[5:].any()
    assert np.exp(CAT[:5]).sum() == pytest.approx(0.9)


def test_top_k_one_is_greedy_and_zero_keeps_all() -> None:
    assert sampling.softmax(sampling.top_k(CAT, 1))[0] == 1.0
    assert (sampling.top_k(CAT, 0) == CAT).all()


def test_the_nucleus_of_a_sure_model_is_one_word() -> None:
    sure = np.log([0.90, 0.05, 0.02, 0.01, 0.01, 0.01])
    assert (sampling.softmax(sampling.top_p(sure, 0.9)) > 0).sum() == 1


def test_the_nucleus_of_an_unsure_model_takes_more_than_the_guide_says() -> None:
    # 15 + 14 + 13 + 12 + 11 + 10 + 9 are 84, not 94: seven words do not reach .9.
    unsure = np.log(np.array([15, 14, 13, 12, 11, 10, 9, 8, 5, 3]) / 100)
    kept = sampling.softmax(sampling.top_p(unsure, 0.9)) > 0
    assert kept.sum() == 8
    assert np.exp(unsure[:7]).sum() == pytest.approx(0.84)


def test_the_nucleus_ends_exactly_where_its_sum_is_reached() -> None:
    assert (sampling.softmax(sampling.top_p(np.log([0.5, 0.4, 0.1]), 0.9)) > 0).tolist() == [True, True, False]


def test_min_p_is_relative_to_the_likeliest() -> None:
    kept = sampling.softmax(sampling.min_p(CAT, 0.25)) > 0
    assert kept.sum() == 4  # .25 x .35 = .0875: the roof (.05) is out
    assert sampling.softmax(sampling.min_p(CAT, 1.0))[0] == 1.0


def test_greedy_misses_what_beams_find() -> None:
    # The guide's .9 and .6 for two first words sum to 1.5; .55 and .40 say the same and are possible.
    chances = {
        (): [0.55, 0.40, 0.05],
        (0,): [0.10, 0.80, 0.10],
        (0, 1): [0.20, 0.10, 0.70],
        (1,): [0.05, 0.05, 0.90],
        (1, 2): [0.95, 0.04, 0.01],
    }

    def after(tokens: tuple[int, ...]) -> sampling.Floats:
        return np.log(chances.get(tokens, [1 / 3, 1 / 3, 1 / 3]))

    (greedy,) = sampling.beam_search(after, width=1, length=3)
    best = sampling.beam_search(after, width=2, length=3)[0]
    assert (greedy.tokens, np.exp(greedy.score)) == ((0, 1, 2), pytest.approx(0.55 * 0.8 * 0.7))
    assert (best.tokens, np.exp(best.score)) == ((1, 2, 0), pytest.approx(0.40 * 0.9 * 0.95))
    assert best.score > greedy.score


def test_three_beams_after_the_cat() -> None:
    # The guide leaves "sat down" (.6 x .15 = 9 %) out of its three best, where it is the second.
    first = {0: 0.60, 1: 0.25, 2: 0.10}  # sat, was, jumped
    second = {0: {3: 0.40, 4: 0.15}, 1: {5: 0.20, 6: 0.18}, 2: {7: 0.08, 8: 0.07}}  # on down, very so, over onto

    def after(tokens: tuple[int, ...]) -> sampling.Floats:
        chances = first if not tokens else second[tokens[0]]
        values = np.full(9, -np.inf)
        values[list(chances)] = np.log(list(chances.values()))
        return values

    beams = sampling.beam_search(after, width=3, length=2)
    assert [beam.tokens for beam in beams] == [(0, 3), (0, 4), (1, 5)]
    assert np.exp([beam.score for beam in beams]) == pytest.approx([0.24, 0.09, 0.05])


def test_a_beam_that_has_ended_competes_with_longer_ones() -> None:
    def after(tokens: tuple[int, ...]) -> sampling.Floats:
        return np.log([0.6, 0.4]) if not tokens else np.log([0.5, 0.5])

    beams = sampling.beam_search(after, width=2, length=3, end=0)
    assert beams[0].tokens == (0,)
    assert beams[0].ended
    assert beams[0].score == pytest.approx(np.log(0.6))


def test_penalties() -> None:
    logits = np.array([2.0, -1.0, 0.5, 3.0])
    assert sampling.penalised(logits, [0], [1], repetition=2.0).tolist() == [1.0, -2.0, 0.5, 3.0]
    assert sampling.penalised(logits, [0], [3, 3], presence=0.5).tolist() == [2.0, -1.0, 0.5, 2.5]
    assert sampling.penalised(logits, [0], [3, 3], frequency=0.5).tolist() == [2.0, -1.0, 0.5, 2.0]


@given(LOGITS, st.floats(0.05, 2), st.integers(0, 50), st.floats(0.01, 1), st.floats(0, 1))
def test_a_distribution_sums_to_one_and_never_loses_the_likeliest(
    logits: sampling.Floats, temperature: float, k: int, p: float, floor: float
) -> None:
    drawn = sampling.distribution(logits, Sampling(temperature=temperature, top_k=k, top_p=p, min_p=floor))
    assert drawn.sum() == pytest.approx(1)
    assert drawn[logits.argmax()] > 0
    if k:
        assert (drawn > 0).sum() <= max(1, k)


@given(LOGITS, st.floats(0.05, 0.99))
def test_the_nucleus_is_the_smallest_set(logits: sampling.Floats, p: float) -> None:
    chances = sampling.softmax(logits)
    kept = np.isfinite(sampling.top_p(logits, p))
    assert chances[kept].sum() >= p - 1e-9
    assert chances[kept].sum() - chances[kept].min() < p + 1e-9
    assert kept.all() or chances[kept].min() >= chances[~kept].max()


def test_draws_follow_the_probabilities() -> None:
    generator = np.random.default_rng(3)
    chances = sampling.distribution(CAT, Sampling(top_k=3))
    draws = np.bincount([sampling.draw(chances, generator) for _ in range(4000)], minlength=5)[:5] / 4000
    assert draws == pytest.approx(chances[:5], abs=0.03)
