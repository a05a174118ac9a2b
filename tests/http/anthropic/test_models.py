"""Models in Anthropic's shape, as its client's types read them."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import ModelInfo

from mainspring.core.errors import InvalidRequest
from mainspring.http.anthropic.models import model_body, models_body
from mainspring.serving.ring.registry import Served
from tests.serving.house import Recited

SERVED = [Served(name, "chat", Recited(), created=1_700_000_000) for name in ("a", "b", "c")]


@pytest.mark.parametrize(
    ("asked", "names", "more"),
    [
        ((20, None, None), "abc", False),
        ((2, None, None), "ab", True),
        ((20, "a", None), "bc", False),
        ((1, None, "c"), "b", True),
        ((20, "c", None), "", False),
    ],
)
def test_models_come_in_pages(asked: Any, names: str, more: bool) -> None:
    body = models_body(SERVED, *asked)
    assert [each["id"] for each in body["data"]] == list(names)
    assert body["has_more"] is more
    assert (body["first_id"], body["last_id"]) == ((names[0], names[-1]) if names else (None, None))


def test_a_model_is_what_the_client_reads() -> None:
    found = ModelInfo.model_validate(model_body(SERVED[0]))
    assert (found.id, found.display_name, found.type) == ("a", "a", "model")
    assert model_body(SERVED[0])["created_at"] == "2023-11-14T22:13:20Z"


def test_a_cursor_of_no_model_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        models_body(SERVED, 20, "z", None)
    assert caught.value.param == "after_id"
