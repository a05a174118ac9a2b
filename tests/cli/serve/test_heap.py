"""The collector in a server: it does nothing at the start, then collects only new objects, and is restored at the
end."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from mainspring.cli.serve import heap


class Knot:
    """Refers to itself: only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def thawed() -> Iterator[None]:
    """Without what the tests' process has frozen before."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_what_was_there_is_not_looked_at_and_what_is_new_is_freed(thawed: None) -> None:
    before = gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()
    with heap.collecting_later():
        assert not gc.isenabled()
        old = weakref.ref(Knot())
        heap.started()
        assert gc.isenabled()
        assert gc.get_threshold()[0] == heap.YOUNG
        assert gc.get_freeze_count() > 10_000
        new = weakref.ref(Knot())
        gc.collect()
        assert new() is None
        assert old() is not None
    assert (gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()) == before
    gc.collect()
    assert old() is None
