"""Options of scorers, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.scorers import Scorer
from mainspring.feature import Rooms

Options = Mapping[str, Any]
Factory = Callable[[Rooms, Options], Scorer]


def only(name: str, options: Options, *known: str) -> None:
    """Raises ``InvalidRequest`` for an option that is not ``known``."""
    if unknown := sorted(set(options) - set(known)):
        takes = f"It takes {', '.join(known)}" if known else "It takes none"
        raise InvalidRequest(f"the scorer {name} has no option {unknown[0]:.50}", param="options", remedy=takes)


def number(name: str, options: Options, option: str, default: float) -> float:
    """A positive number. Raises ``InvalidRequest``."""
    try:
        found = float(options.get(option, default))
    except (TypeError, ValueError):
        found = 0.0
    if not 0 < found < 1e12:
        raise InvalidRequest(f"the option {option} of the scorer {name} must be a positive number", param="options")
    return found


def text(name: str, options: Options, option: str) -> str:
    """A text that is not empty. Raises ``InvalidRequest``."""
    found = options.get(option)
    if not isinstance(found, str) or not 0 < len(found) <= 20_000:
        raise InvalidRequest(f"the scorer {name} needs the option {option}, a text", param="options")
    return found
