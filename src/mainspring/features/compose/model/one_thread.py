"""Keeps numpy's products in one thread while the model computes.

Its matrices are so small that further threads only wait for each other: on a busy machine a suggestion then takes ten
times as long. One thread also adds in one order, whatever the machine. ``threadpoolctl`` does the same for any library;
this is for the one that comes with numpy's wheels, and elsewhere nothing is changed.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_SUFFIXES = (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", ""))
_lock = threading.Lock()
_inside = 0
_before = 0


@cache
def _library() -> tuple[Any, Any] | None:
    """The functions that get and set the number of threads; None: it is another library."""
    place = Path(np.__file__).parent
    for path in sorted((*place.parent.glob("numpy.libs/*openblas*"), *place.glob(".dylibs/*openblas*"))):
        try:
            found = ctypes.CDLL(str(path))
        except OSError:
            continue
        for before, behind in _SUFFIXES:
            get = getattr(found, f"{before}openblas_get_num_threads{behind}", None)
            put = getattr(found, f"{before}openblas_set_num_threads{behind}", None)
            if get is not None and put is not None:
                return get, put
    return None


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block products are computed in one thread; the last of several that overlap puts it back."""
    global _inside, _before
    found = _library()
    if found is None:
        yield
        return
    get, put = found
    with _lock:
        _inside += 1
        if _inside == 1:
            _before = int(get())
            put(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                put(_before)
