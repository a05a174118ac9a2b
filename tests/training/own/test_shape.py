"""The sizes of our own models."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, ModelError
from mainspring.training.own.models.shape import Shape


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"heads": 3}, "heads"),
        ({"heads": 8, "kv_heads": 3}, "kv_heads"),
        ({"width": 20, "heads": 4}, "heads"),
        ({"width": 21, "heads": 3, "kv_heads": 1, "positions": "sine"}, "width"),
        ({"dropout": 1.0}, "dropout"),
        ({"layers": 0}, "layers"),
    ],
)
def test_sizes_that_do_not_fit_are_named(wrong: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Shape("decoder", 100, **wrong)
    assert caught.value.param == param


def test_a_shape_is_read_as_it_was_told() -> None:
    shape = Shape("encoder-decoder", 100, positions="sine")
    assert Shape.read(shape.told()) == shape
    assert (shape.encoders, shape.decoders, shape.inner) == (4, 4, 704)
    with pytest.raises(ModelError, match="none of our own"):
        Shape.read({"model_type": "llama"})


def test_a_known_size() -> None:
    """GPT-2's small embeddings and Llama's blocks: counted by hand."""
    shape = Shape("decoder", 50_257, width=768, layers=12, heads=12, kv_heads=12, hidden=2048)
    assert shape.parameters == 50_257 * 768 + 12 * (4 * 768**2 + 3 * 768 * 2048 + 2 * 768) + 768
