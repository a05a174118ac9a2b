"""Regular expressions of JSON schemas (ECMA 262): as grammars of JSON strings, and as checks in linear time.

A grammar admits the texts in which the expression is found, as characters of a JSON string. What has no counterpart
(back references, look-around within, word boundaries) is ``None``: the caller checks afterwards. A check follows
look-around at the beginning only, which is where patterns of passwords and of generators have it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

# Typeshed does not know them.
ops: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

MAX_PATTERN = 2_000
MAX_REPEAT = 1_000
MAX_WEIGHT = 4_000
"""Elements after repetitions are written out."""
MAX_LOOKS = 8
CHARACTER = '([^"\\\\\\u0000-\\u001f\\u007f] | "\\\\" ["\\\\/bfnrt])'
ANY = '[^"\\\\\\u0000-\\u001f\\u007f]* ("\\\\" ["\\\\/bfnrt] [^"\\\\\\u0000-\\u001f\\u007f]*)*'
"""Any characters of a JSON string; compiles much faster than a repetition of ``CHARACTER``."""

_LAST = 0x10FFFF
_HYPHEN = 0x2D
_ESCAPED = {0x22: '\\"', 0x5C: "\\\\", 0x08: "\\b", 0x0C: "\\f", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}
_RAW = [(0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7E), (0xA0, 0xD7FF), (0xE000, _LAST)]
_SPACES = [(0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)]
_SPACES += [(0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)]
_WORDS = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
Ranges = list[tuple[int, int]]
_NAMED = re.compile(r"\(\?<(?![=!])[^>]*>")


class _Beyond(Exception):
    """An expression that no grammar can follow."""


@lru_cache(512)
def grammar(pattern: str) -> tuple[str, int, int | None] | None:
    """The rule for the characters of a JSON string in which ``pattern`` is found, and their least and most number.

    None: no grammar follows it.
    """
    if len(pattern) > MAX_PATTERN:
        return None
    try:
        tree = _tree(pattern)
        if tree.state.flags & (re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE):
            return None
        writer = _Writer()
        rule = writer.branch(list(tree), first=True, last=True)
    except (_Beyond, re.error, RecursionError, OverflowError, FutureWarning):
        return None
    least, most = tree.getwidth()
    bounded = writer.anchored and most < MAX_REPEAT * MAX_REPEAT
    return rule, int(least), int(most) if bounded else None


def of_class(pattern: str, least: int, most: int | None) -> str | None:
    """The rule for ``^[...]*$`` with ``least`` to ``most`` characters; None: ``pattern`` is of another form."""
    try:
        items = list(_tree(pattern))
    except (re.error, RecursionError, OverflowError, FutureWarning):
        return None
    if len(items) != 3 or items[0] != (ops.AT, ops.AT_BEGINNING) or items[2] != (ops.AT, ops.AT_END):
        return None
    if items[1][0] not in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        return None
    low, high, (*inner,) = items[1][1]
    if len(inner) != 1 or inner[0][0] not in (ops.IN, ops.LITERAL, ops.NOT_LITERAL, ops.ANY):
        return None
    low = max(int(low), least)
    high = min(int(high), MAX_REPEAT + 1 if most is None else most)
    if low > high:
        return None
    return f"{_characters(_ranges(inner[0]))}{_times(low, high if high <= MAX_REPEAT else None)}"


def _tree(pattern: str) -> Any:
    with warnings.catch_warnings():
        # Sets that may gain another meaning already mean different things to different engines.
        warnings.simplefilter("error", FutureWarning)
        return parser.parse(_NAMED.sub("(", pattern))


class _Writer:
    def __init__(self) -> None:
        self.anchored = True
        self._weight = 0

    def branch(self, items: list[Any], *, first: bool, last: bool, times: int = 1) -> str:
        """A sequence that stands at the beginning (``first``) or the end of what may be found."""
        parts: list[str] = []
        begun, ended = not first, not last
        while items and items[0] == (ops.AT, ops.AT_BEGINNING) and first:
            items, begun = items[1:], True
        while items and items[-1] == (ops.AT, ops.AT_END) and last:
            items, ended = items[:-1], True
        # A group at an end has anchors of its own.
        opening = not begun and bool(items) and self._anchors(items[0], ops.AT_BEGINNING)
        closing = not ended and bool(items) and self._anchors(items[-1], ops.AT_END)
        if not (begun or opening):
            self.anchored = False
            parts.append(ANY)
        for index, item in enumerate(items):
            starts, ends = opening and index == 0, closing and index == len(items) - 1
            parts.append(self._item(item, starts, ends, times))
        if not (ended or closing):
            self.anchored = False
            parts.append(ANY)
        return " ".join(part for part in parts if part) or '""'

    def _anchors(self, item: Any, anchor: Any) -> bool:
        code, value = item
        if code == ops.SUBPATTERN:
            inner = list(value[3])
            return bool(inner) and any(self._anchors(each, anchor) for each in (inner[0], inner[-1]))
        if code == ops.BRANCH:
            return any((ops.AT, anchor) in list(each) for each in value[1])
        return bool((code, value) == (ops.AT, anchor))

    def _item(self, item: Any, first: bool, last: bool, times: int) -> str:
        code, value = item
        self._weight += times
        if self._weight > MAX_WEIGHT:
            raise _Beyond
        if code in (ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY):
            return _characters(_ranges(item))
        if code == ops.SUBPATTERN:
            if value[1] or value[2]:
                raise _Beyond
            return f"({self.branch(list(value[3]), first=first, last=last, times=times)})"
        if code == ops.BRANCH:
            found = [self.branch(list(each), first=first, last=last, times=times) for each in value[1]]
            return f"({' | '.join(found)})"
        if code in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            low, high, inner = value
            bounded = high != ops.MAXREPEAT
            if low > MAX_REPEAT or (bounded and high > MAX_REPEAT):
                raise _Beyond
            count = times * max(1, int(high) if bounded else int(low))
            repeated = self.branch(list(inner), first=False, last=False, times=count)
            return f"({repeated}){_times(low, high if bounded else None)}"
        raise _Beyond


def _times(low: int, high: int | None) -> str:
    if high is None:
        return {0: "*", 1: "+"}.get(low, f"{{{low},}}")
    return "?" if (low, high) == (0, 1) else f"{{{low}}}" if low == high else f"{{{low},{high}}}"


def _ranges(item: Any) -> Ranges:
    code, value = item
    if code == ops.LITERAL:
        return [(value, value)]
    if code == ops.NOT_LITERAL:
        return _without([(value, value)])
    if code == ops.ANY:
        return _without([(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)])
    if code == ops.CATEGORY:
        return _category(value)
    if code == ops.RANGE:
        return [value]
    if code != ops.IN:
        raise _Beyond
    negated = value[0][0] == ops.NEGATE
    found = [each for one in value[negated:] for each in _ranges(one)]
    return _without(found) if negated else found


def _category(category: Any) -> Ranges:
    if category == ops.CATEGORY_DIGIT:
        return [(0x30, 0x39)]
    if category == ops.CATEGORY_NOT_DIGIT:
        # Beyond lie digits of other scripts, about which engines differ.
        return [(0x00, 0x2F), (0x3A, 0x65F)]
    if category == ops.CATEGORY_SPACE:
        return [(0x09, 0x0D), (0x20, 0x20)]
    if category == ops.CATEGORY_NOT_SPACE:
        return _without(_SPACES)
    if category == ops.CATEGORY_WORD:
        return list(_WORDS)
    if category == ops.CATEGORY_NOT_WORD:
        return [(low, high) for low, high in _without(_WORDS) if high < 0x80] + [(0x7B, 0x7F)]
    raise _Beyond


def _without(ranges: Ranges) -> Ranges:
    found, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            found.append((at, low - 1))
        at = max(at, high + 1)
    return [*found, (at, _LAST)] if at <= _LAST else found


def _characters(ranges: Ranges) -> str:
    """One of these characters within a JSON string."""
    raw = sorted(
        (max(low, first), min(high, last))
        for low, high in ranges
        for first, last in _RAW
        if low <= last and first <= high
    )
    parts = []
    if raw:
        single = len(raw) == 1 and raw[0][0] == raw[0][1]
        parts.append(literal(chr(raw[0][0])) if single else f"[{set_of(raw)}]")
    parts += [literal(text) for code, text in _ESCAPED.items() if any(low <= code <= high for low, high in ranges)]
    if not parts:
        raise _Beyond
    return parts[0] if len(parts) == 1 else f"({' | '.join(parts)})"


def set_of(ranges: Ranges) -> str:
    """Ranges within the brackets of a set. Compilers read a hyphen as a range unless it comes first."""
    parts, hyphen = [], False
    for low, high in ranges:
        if low == _HYPHEN or high == _HYPHEN:
            hyphen = True
            low, high = (low + 1, high) if low == _HYPHEN else (low, high - 1)
        if low <= high:
            parts.append(_code(low) if low == high else f"{_code(low)}-{_code(high)}")
    return "-" * hyphen + "".join(parts)


def _code(code: int) -> str:
    if code < 0x80:
        return chr(code) if chr(code).isalnum() else f"\\u{code:04x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def literal(text: str) -> str:
    """A literal of a grammar."""
    return '"' + "".join(_quoted(character) for character in text) + '"'


def _quoted(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if " " <= character <= "~" else _code(ord(character))


@lru_cache(512)
def matcher(pattern: str) -> Callable[[str], bool] | None:
    """Whether ``pattern`` is found in a text, in time linear to it; None: that would take longer."""
    looks, rest = _looks(pattern)
    found = [(_linear(each), wanted) for each, wanted in [*looks, (rest, True)]]
    checks = [(check, wanted) for check, wanted in found if check is not None]
    if len(checks) < len(found):
        return None

    def matches(text: str) -> bool:
        return all(check(text) == wanted for check, wanted in checks)

    return matches


def _looks(pattern: str) -> tuple[Sequence[tuple[str, bool]], str]:
    """Look-ahead behind a leading ``^``, each as an expression of its own with whether it is to match, and the rest."""
    looks: list[tuple[str, bool]] = []
    if not pattern.startswith("^(?") or _alternatives(pattern):
        return looks, pattern
    rest = pattern[1:]
    while rest.startswith(("(?=", "(?!")) and len(looks) < MAX_LOOKS:
        end = _closing(rest)
        if end is None or rest[end + 1 : end + 2] in ("*", "+", "?", "{"):
            return [], pattern
        looks.append((f"^(?:{rest[3:end]})", rest[2] == "="))
        rest = rest[end + 1 :]
    return looks, f"^{rest}"


def without_looks(pattern: str) -> str:
    """``pattern`` without look-ahead at its beginning: it admits more."""
    return _looks(pattern)[1]


def _closing(text: str) -> int | None:
    """Where the group ends that ``text`` begins with."""
    return next((at for at, character, depth in _marks(text) if character == ")" and depth == 0), None)


def _alternatives(pattern: str) -> bool:
    """Whether ``pattern`` has several on its outermost level."""
    return any(character == "|" and depth == 0 for _, character, depth in _marks(pattern))


def _marks(pattern: str) -> Iterator[tuple[int, str, int]]:
    """The place of each parenthesis and bar outside of classes of characters, itself, and the depth behind it."""
    depth, at, within = 0, 0, False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif within:
            within = character != "]"
        elif character == "[":
            within = True
        elif character in "()|":
            depth += {"(": 1, ")": -1, "|": 0}[character]
            yield at, character, depth
        at += 1


def _linear(pattern: str) -> Callable[[str], bool] | None:
    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=_NAMED.sub("(", pattern)))
    except SchemaError:
        return None

    def matches(text: str) -> bool:
        try:
            validator.validate_python(text)
        except ValidationError:
            return False
        return True

    return matches


def one(character: str) -> str:
    """The rule for one character of a JSON string."""
    return _characters([(ord(character), ord(character))])


def without(characters: str) -> str:
    """The rule for one character of a JSON string that needs no escape and is none of ``characters``."""
    excluded = sorted({ord(each) for each in characters if any(low <= ord(each) <= high for low, high in _RAW)})
    codes = "".join(_code(each) for each in excluded if each != _HYPHEN)
    return f'[^{"-" * (_HYPHEN in excluded)}"\\\\\\u0000-\\u001f\\u007f{codes}]'
