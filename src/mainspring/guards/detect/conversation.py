"""Combines a user's messages of several turns into texts to check: neighbouring turns, and rejoined pieces.

If an attack is cut into pieces, no single piece shows it. If it is built up step by step, its last step hardly shows
it. Only the last ``MOST`` turns are checked, each cut to ``LONGEST`` characters at either end, so that the time is
bounded for every request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST = 32
"""The number of a conversation's last turns that are checked."""
LONGEST = 4000
# The frame that a sender puts around pieces of a text: quotation marks, or a label with a colon.
_QUOTED = re.compile(
    r"\"([^\"\n]{1,600})\"|`([^`\n]{1,600})`|\u201c([^\u201d\n]{1,600})\u201d|(?<!\w)'([^'\n]{1,600})'(?!\w)"
)
_LABEL = re.compile(r"^[^:\n]{1,60}[:=]\s*(?=\S)")


def heard(said: Sequence[str]) -> list[str]:
    """The turns that are checked."""
    return [
        text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}" for text in said[-MOST:]
    ]


def windows(said: Sequence[str], turns: int) -> list[str]:
    """Every ``turns`` neighbouring turns as one text; all turns if there are fewer, no text for a single turn."""
    if len(said) < 2 or turns < 2:
        return []
    return ["\n".join(said[start : start + turns]) for start in range(max(1, len(said) - turns + 1))]


def put_together(said: Sequence[str]) -> list[str]:
    """The text of the pieces in ``said``, without their surroundings: once joined with blanks and once without, since
    they may be cut within a word. Empty if no turn contains a piece that is marked as one."""
    parts = [_piece(text) for text in said]
    if len(said) < 2 or all(part is None for part in parts):
        return []
    pieces = [text if part is None else part for text, part in zip(said, parts, strict=True)]
    told = [part for part in parts if part is not None]
    return list(dict.fromkeys([" ".join(pieces), "".join(told)] if len(told) > 1 else [" ".join(pieces)]))


def _piece(text: str) -> str | None:
    """The quotation in ``text``, or else the text after its label."""
    quoted = [next(part for part in found.groups() if part) for found in _QUOTED.finditer(text)]
    if quoted:
        return " ".join(quoted)
    label = _LABEL.match(text)
    return text[label.end() :] if label else None
