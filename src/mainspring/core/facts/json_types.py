"""Whether a value of JSON is of the type that a field of facts has."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

Fits = Callable[[Any], bool]
_INT64 = 2**63


@functools.lru_cache(256)
def fits(json_type: str) -> Fits:
    """The test for a type by its name, such as ``dict[str, float] | null``."""
    kinds = [_one(each) for each in _parts(json_type, " | ")]
    return kinds[0] if len(kinds) == 1 else lambda value: any(each(value) for each in kinds)


def _one(name: str) -> Fits:
    if name in _PLAIN:
        return _PLAIN[name]
    if name.startswith("list["):
        inner = fits(name[len("list[") : -1])
        return lambda value: isinstance(value, list | tuple) and all(map(inner, value))
    if name.startswith("dict["):
        inner = fits(_parts(name[len("dict[") : -1], ", ")[-1])
        return lambda value: isinstance(value, Mapping) and all(map(inner, value.values()))
    return lambda _: True


def _parts(text: str, separator: str) -> list[str]:
    """``text`` split at separators outside of brackets."""
    parts, depth = [""], 0
    for piece in text.split(separator):
        parts[-1] += piece if not depth else separator + piece
        depth += piece.count("[") - piece.count("]")
        if not depth:
            parts.append("")
    return parts[:-1] if not parts[-1] else parts


def _whole(value: Any) -> bool:
    # Databases and files hold 64 bits.
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def _number(value: Any) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))


_PLAIN: Mapping[str, Fits] = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": _whole,
    "float": _number,
    "null": lambda value: value is None,
}
