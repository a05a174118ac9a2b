"""Scripts without spaces between words, made searchable by words: each run of them becomes its overlapping pairs.

Chinese, Japanese, Korean and Thai. A dictionary would find words; pairs need none, and match whatever the words are
(the way of Lucene's CJK analyser). Both indexed texts and queries must pass through ``segmented``.
"""

from __future__ import annotations

import re

DENSE = "\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_RUN = re.compile(f"[{DENSE}]+")


def segmented(text: str) -> str:
    """``text`` with each run of such characters as pairs between spaces; other text unchanged."""
    if text.isascii():
        return text
    return _RUN.sub(lambda match: f" {' '.join(pairs(match.group()))} ", text)


def pairs(run: str) -> list[str]:
    """The overlapping pairs of a run; a single character is itself."""
    return [run[at : at + 2] for at in range(max(1, len(run) - 1))]
