"""Markers in streamed text: how much of a piece must wait because a marker may start in it."""

from __future__ import annotations

from collections.abc import Iterable


def length_of_partial_marker(text: str, markers: Iterable[str]) -> int:
    """How many characters at the end of ``text`` are a proper prefix of one of ``markers``: 0 to its length - 1."""
    longest = 0
    for marker in markers:
        for size in range(min(len(marker) - 1, len(text)), longest, -1):
            if text.endswith(marker[:size]):
                longest = size
                break
    return longest


def first(text: str, markers: Iterable[str]) -> tuple[int, str] | None:
    """The earliest marker in ``text`` as (offset, marker); the longer one where two begin at one place."""
    found = [(text.find(marker), -len(marker), marker) for marker in markers if marker and marker in text]
    if not found:
        return None
    offset, _, marker = min(found)
    return offset, marker
