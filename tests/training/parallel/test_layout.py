"""How work is divided, without torch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidRequest
from mainspring.training.own.models.shape import Shape
from mainspring.training.parallel.layout import Layout


@given(st.integers(1, 12), st.integers(0, 40))
def test_each_layer_is_of_one_process(count: int, more: int) -> None:
    layers, layout = count + more, Layout(pipeline=count)
    shares = [list(layout.layers_of(stage, layers)) for stage in range(count)]
    assert [layer for share in shares for layer in share] == list(range(layers))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(
    ("given", "shape", "named"),
    [
        ({"tensor": 4}, {}, "tensor"),
        ({"pipeline": 5}, {}, "pipeline"),
        ({"pipeline": 2}, {"kind": "encoder"}, "pipeline"),
    ],
)
def test_what_cannot_be_divided_is_named(given: dict[str, Any], shape: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Layout(**given).check(Shape(**{"kind": "decoder", "vocabulary": 40, "heads": 4, "kv_heads": 2, **shape}))
    assert caught.value.param == named


def test_zero_one_goes_with_data_alone() -> None:
    with pytest.raises(InvalidRequest, match="ZeRO-1"):
        Layout(tensor=2, shard="optimiser")


def test_a_pipeline_waits_less_with_more_parts() -> None:
    """E.8: three processes and eight parts leave a fifth of the time unused."""
    assert Layout(pipeline=3, parts=8).bubble == pytest.approx(0.2)
    assert Layout(pipeline=1).bubble == 0
