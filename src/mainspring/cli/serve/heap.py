"""Python's garbage collector in a server, whose large heap lives as long as the process."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 50_000
"""Number of new objects that triggers a collection. A finished request leaves no cycles behind. Running requests and
spans in the queue stay, and each full collection would scan tens of thousands of them again."""


@contextmanager
def collecting_later() -> Iterator[None]:
    """Nothing is collected while a server starts; from ``started`` on, only newer objects are. Restores the collector
    afterwards.

    A full collection looks at every object that modules, models and routes consist of: some 0.2 s in which no request
    goes on, several times at the start and every few hundred requests.
    """
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
        if enabled:
            gc.enable()


def started() -> None:
    """Objects that exist now are kept and never scanned again."""
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    gc.enable()
