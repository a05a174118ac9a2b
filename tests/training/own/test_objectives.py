"""What is asked of a model: nothing of the text may get lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidRequest
from mainspring.training.own.objectives.masked import mask
from mainspring.training.own.objectives.packing import next_token, pack
from mainspring.training.own.objectives.spans import corrupt, restored

TOKENS = st.lists(st.integers(20, 90), min_size=1, max_size=120)
SEEDS = st.integers(0, 10_000)
SENTINELS = tuple(range(5, 15))


@given(st.lists(TOKENS, min_size=1, max_size=8), st.integers(2, 40), st.booleans())
def test_packing_predicts_each_token_once(documents: list[list[int]], length: int, apart: bool) -> None:
    windows = pack(documents, length)
    whole = [token for document in documents for token in document]
    seen: list[int] = []
    for window in windows:
        ids, targets = next_token(window, apart=apart, ignore=-1)
        assert len(ids) == len(targets) <= length - 1
        assert window.positions.max() < length
        assert window.positions[0] == 0
        seen += window.ids[1:].tolist()
        for at, target in enumerate(targets):
            same = window.documents[at] == window.documents[at + 1]
            assert target == (window.ids[at + 1] if same or not apart else -1)
    assert ([whole[0], *seen] if windows else seen) == (whole if len(whole) > 1 else [])


def test_only_what_counts_is_a_target() -> None:
    (window,) = pack([[1, 2, 3, 4]], 8, [[False, False, True, True]])
    assert next_token(window, apart=True, ignore=-1)[1].tolist() == [-1, 3, 4]


@given(TOKENS, SEEDS)
def test_a_masked_text_is_restored_by_its_targets(ids: list[int], seed: int) -> None:
    inputs, targets = mask(ids, np.random.default_rng(seed), mask_token=4, first=20, vocabulary=91, ignore=-1)
    assert np.where(targets == -1, inputs, targets).tolist() == ids
    assert (targets != -1).any()


def test_fifteen_in_a_hundred_are_targets_and_these_are_divided() -> None:
    ids = [1, *np.random.default_rng(0).integers(20, 90, 60_000).tolist(), 2]
    inputs, targets = mask(ids, np.random.default_rng(1), mask_token=4, first=20, vocabulary=1_000_000, ignore=-1)
    chosen = targets != -1
    assert chosen.mean() == pytest.approx(0.15, abs=0.005)
    assert (inputs[chosen] == 4).mean() == pytest.approx(0.8, abs=0.02)
    assert (inputs[chosen] == targets[chosen]).mean() == pytest.approx(0.1, abs=0.015)
    assert (inputs[~chosen] == np.array(ids)[~chosen]).all()
    assert not chosen[[0, -1]].any()


@given(TOKENS, SEEDS)
def test_corrupted_spans_are_restored_by_their_target(ids: list[int], seed: int) -> None:
    given_, wanted = corrupt(ids, np.random.default_rng(seed), sentinels=SENTINELS)
    assert restored(given_, wanted, SENTINELS) == ids
    used = [token for token in given_ if token in SENTINELS]
    assert used == list(SENTINELS[: len(used)])
    assert [token for token in wanted if token in SENTINELS] == (used or [SENTINELS[0]])
    assert wanted[0] in SENTINELS


def test_spans_have_three_tokens_on_average() -> None:
    ids, lost, spans = list(range(20, 220)), 0, 0
    for seed in range(200):
        given_, wanted = corrupt(ids, np.random.default_rng(seed), sentinels=SENTINELS)
        spans += len(given_) + len(wanted) - len(ids) - 0
        lost += sum(token not in SENTINELS for token in wanted)
    assert lost / 200 == 30
    assert lost / (spans / 2) == pytest.approx(3, abs=0.01)


def test_too_few_sentinels_are_named() -> None:
    with pytest.raises(InvalidRequest, match="10 sentinels") as caught:
        corrupt(list(range(20, 420)), np.random.default_rng(0), sentinels=SENTINELS)
    assert caught.value.param == "options.length"
