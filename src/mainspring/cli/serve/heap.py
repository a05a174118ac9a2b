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
    """While a server starts, no objects are collected; after ``started``, only newer objects are collected. Restores
    the collector afterwards.

    A full collection visits every object of modules, models and routes: no request proceeds for some 0.2 s, several
    times at the start and again every few hundred requests.
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
