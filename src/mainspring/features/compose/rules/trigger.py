"""When a suggestion is asked for: enough words, a pause, and never within a word.

``trigger.json`` beside this module holds cases that the console's copy of these rules is tested with, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Reason = Literal["few_words", "within_word", "typing", "within_text"]
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


@dataclass(frozen=True, slots=True)
class Triggering:
    """``least_words`` of the body must be there, and ``pause_ms`` must have passed since the last key."""

    least_words: int = 3
    pause_ms: int = 100


def waits(before: str, after: str, pause_ms: float | None, how: Triggering) -> Reason | None:
    """Why nothing is suggested at the cursor between ``before`` and ``after``; None: it is. ``pause_ms`` None: the
    caller has waited. A cursor that stands within a line of text asks for no continuation."""
    if after.strip() and not after.startswith("\n"):
        return "within_text"
    if len(_WORD.findall(before)) < how.least_words:
        return "few_words"
    if not before[-1:].isspace():
        return "within_word"
    if pause_ms is not None and pause_ms < how.pause_ms:
        return "typing"
    return None
