"""Python's garbage collector in a server, which has a large heap that lives as long as it does."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 50_000
"""So many new objects may stand until they are looked through. A finished request leaves none behind; what stands is
what runs, and the spans that wait to be written: by ten thousands all of that was looked through again and again."""


@contextmanager
def collecting_later() -> Iterator[None]:
    """Nothing is collected while a server starts, and from ``started`` on only what it has made since. As it was
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
    """What is there now stays, and is not looked at again."""
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    gc.enable()
