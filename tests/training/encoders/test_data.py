"""Rows, batches and weights of the encoders' recipes: no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mainspring.core.errors import InvalidRequest
from mainspring.engines.encode import bert
from mainspring.training.encoders import recipe_list, weights
from mainspring.training.encoders.data import batches, rows
from mainspring.training.recipes import every
from mainspring.training.run import options_of
from tests.training.encoders import tiny


def test_the_recipes_are_listed_without_torch() -> None:
    names = {each.name for each in recipe_list.RECIPES}
    assert names <= set(every())
    for recipe in recipe_list.RECIPES:
        options = options_of(recipe, {})
        assert options.model_fields_set == set()
        for name, field in type(options).model_fields.items():
            assert field.description or name in ("learning_rate", "weight_decay", "dropout"), name


@pytest.mark.parametrize(
    ("make", "row", "field"),
    [
        (rows.rerank, {"query": "a", "passage": " ", "label": 1}, "train:3.passage"),
        (rows.rerank, {"query": "a", "passage": "b", "label": 2}, "train:3.label"),
        (rows.nli, {"premise": "a", "hypothesis": "b", "label": "maybe"}, "train:3.label"),
        (rows.triplet, {"anchor": "a"}, "train:3.positive"),
        (rows.labelled, {"text": "a", "label": None}, "train:3.label"),
        (rows.reading, {"question": "q", "passage": "p", "answer": "x"}, "train:3.answer"),
        (rows.reading, {"question": "q", "passage": "a x", "answer": "x", "start": 0}, "train:3.start"),
        (rows.reading, {"question": "q", "passage": "a x", "answer": 3}, "train:3.answer"),
    ],
)
def test_a_wrong_row_is_named(make: Any, row: Mapping[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        make(row, "train:3")
    assert raised.value.param == field


def test_readings_find_their_answer() -> None:
    assert rows.reading({"question": "q", "passage": "the cat", "answer": "cat"}, "x") == rows.Reading(
        "q", "the cat", 4, 7, True
    )
    assert rows.reading({"question": "q", "passage": "the cat", "answer": None}, "x") == rows.Reading(
        "q", "the cat", -1, -1, False
    )
    assert rows.reading({"question": "q", "passage": "the cat", "answerable": True}, "x").answerable
    with pytest.raises(InvalidRequest, match="answerable"):
        rows.reading({"question": "q", "passage": "the cat", "answer": "cat", "answerable": False}, "x")


@given(
    lengths=some.lists(some.integers(1, 500), min_size=1, max_size=400),
    size=some.integers(1, 32),
    seed=some.integers(0, 2**31),
)
def test_an_epoch_reads_each_row_once(lengths: list[int], size: int, seed: int) -> None:
    found = batches.batches(lengths, size, seed, 0)
    assert sorted(place for part in found for place in part) == list(range(len(lengths)))
    assert all(len(part) <= size for part in found)
    assert batches.steps_of(len(lengths), size, 1, 1) == len(found)
    assert batches.batches(lengths, size, seed, 0) == found


def test_batches_hold_rows_of_like_lengths() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(10, 500, 2_000).tolist()
    padded = sum(max(lengths[place] for place in part) * len(part) for part in batches.batches(lengths, 16, 1, 0))
    assert padded < 1.1 * sum(lengths)


@given(steps=some.integers(1, 500), warmup=some.floats(0, 1))
def test_rates_rise_and_fall(steps: int, warmup: float) -> None:
    found = [batches.rate(step, steps, warmup) for step in range(steps)]
    assert all(0 <= each <= 1 for each in found)
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)


@given(count=some.integers(0, 300))
def test_what_is_held_out_shares_no_group(count: int) -> None:
    given_rows = [rows.Labelled(f"text {place % 50}", "x") for place in range(count)]
    train, held = rows.held_out(given_rows)
    assert len(train) + len(held) == count
    assert not {each.text for each in train} & {each.text for each in held}
    assert len(held) <= count / 2


def test_weights_in_eight_bits_are_near_and_small(tmp_path: Path) -> None:
    base = weights.read(tiny.base(tmp_path / "base", head=1))
    weights.write(tmp_path / "int8", base.weights, base, int8=True)
    weights.write(tmp_path / "plain", base.weights, base, int8=False)
    near, same = weights.read(tmp_path / "int8"), weights.read(tmp_path / "plain")
    for name, value in base.weights.items():
        assert np.array_equal(same.weights[name], value)
        if value.ndim == 2:
            rows_ = np.abs(value).max(1, keepdims=True)
            assert (np.abs(near.weights[name] - value) <= rows_ / 254 + 1e-6).all()
    assert bert.load(tmp_path / "int8").weights["pooler.dense.weight"].dtype == np.int8


def test_an_invalid_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="starts from"):
        weights.read(None)
    with pytest.raises(InvalidRequest, match=r"lacks config\.json"):
        weights.read(tmp_path)
    folder = tiny.base(tmp_path / "base")
    (folder / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InvalidRequest, match="llama"):
        weights.read(folder)
