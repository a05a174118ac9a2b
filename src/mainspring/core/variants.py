"""The names of an application's variants: ``APPLICATION@current`` and ``APPLICATION@cand_...``.

What holds for an application by its name (guards, prompts, presets, prices, budgets) holds for its variants.
"""

from __future__ import annotations

import re

CURRENT = "current"
_NAME = re.compile(r"(.+)@(current|cand_[0-9a-f]{24})", re.DOTALL)


def application_of(name: str) -> str:
    """The application that ``name`` is a variant of; ``name`` itself if it is none."""
    return split(name)[0]


def split(name: str) -> tuple[str, str]:
    """The application, and ``current`` or a candidate's id (empty: it is no variant)."""
    if "@" not in name:
        return name, ""
    found = _NAME.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")
