"""The error tree: drawn as it is, carried over pipes, one sentence with its remedy."""

from __future__ import annotations

import pickle
import re

import pytest

from mainspring import errors
from mainspring.errors import MainspringError, RateLimited


def tree() -> list[type[MainspringError]]:
    found, waiting = [], [MainspringError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return found


def test_the_drawing_is_the_tree() -> None:
    drawn = re.findall(r"── (\w+)\s+(\d+)\s+(\w+)", errors.__doc__ or "")
    assert {(kind.__name__, str(kind.status), kind.code) for kind in tree()[1:]} == set(drawn)


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_errors_survive_a_pipe(kind: type[MainspringError]) -> None:
    error = kind("x is wrong", remedy="Do y", param="x", retry_after=2.5)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.remedy, again.param, again.retry_after) == ("x is wrong", "Do y", "x", 2.5)


def test_the_sentence_ends_with_the_remedy() -> None:
    assert str(RateLimited("too many requests", remedy="Wait")) == "too many requests. Wait"
    assert str(RateLimited("too many requests")) == "too many requests"
