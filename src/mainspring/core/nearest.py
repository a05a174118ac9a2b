"""The known name that is nearest to an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

MAX_NAME = 64
MAX_NAMES = 256
MAX_SHOWN = 200


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The most similar of ``known``; empty if none is. A name longer than ``MAX_NAME`` has no near name, and only the
    first ``MAX_NAMES`` are compared: the time grows with the lengths and the number of both."""
    if len(name) > MAX_NAME:
        return ""
    candidates = [each for each in islice(known, MAX_NAMES) if len(each) <= 2 * MAX_NAME]
    return next(iter(difflib.get_close_matches(name, candidates, n=1, cutoff=cutoff)), "")


def shown(text: str, most: int = MAX_SHOWN) -> str:
    """``text`` for an error message, cut if it is long."""
    return text if len(text) <= most else f"{text[:most]}..."
