"""Grammars run by hand: texts that one admits, drawn at random, and whether it admits a text."""

from __future__ import annotations

import random
import re
from typing import Any

_TOKEN = re.compile(
    r'\s+|(?P<rule>[A-Za-z_][\w-]*)\s*::=|(?P<name>[A-Za-z_][\w-]*)|(?P<literal>"(?:[^"\\]|\\.)*")'
    r"|(?P<set>\[\^?(?:[^\]\\]|\\.)+\])|(?P<repeat>\{\d+(?:,\d*)?\})|(?P<mark>[|()*+?])"
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
Node = tuple[Any, ...]


def _plain(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if code[0] in "uU" and len(code) > 1 else _NAMED.get(code, code)

    return _ESCAPE.sub(one, text)


class GrammarTexts:
    """A grammar in the notation of ``engines.grammar.ebnf``."""

    def __init__(self, source: str) -> None:
        self._rules: dict[str, Node] = {}
        tokens = [
            (str(found.lastgroup), found[found.lastgroup]) for found in _TOKEN.finditer(source) if found.lastgroup
        ]
        assert sum(len(found[0]) for found in _TOKEN.finditer(source)) == len(source)
        self._tokens, self._at = tokens, 0
        while self._at < len(tokens):
            kind, name = tokens[self._at]
            assert kind == "rule"
            self._at += 1
            self._rules[name] = self._either()

    def draw(self, rng: random.Random, most: int = 4) -> str:
        """A text; repetitions go ``most`` beyond their least, and deep parts end soon."""
        return self._drawn(self._rules["root"], rng, most, 0)

    def admits(self, text: str) -> bool:
        return len(text) in self._ends(self._rules["root"], text, 0, {})

    # --- reading -----------------------------------------------------------------------------------------------

    def _either(self) -> Node:
        found = [self._sequence()]
        while self._at < len(self._tokens) and self._tokens[self._at] == ("mark", "|"):
            self._at += 1
            found.append(self._sequence())
        return ("either", found)

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind == "rule" or (kind, text) in (("mark", "|"), ("mark", ")")):
                break
            self._at += 1
            if kind == "name":
                part: Node = ("name", text)
            elif kind == "literal":
                part = ("literal", _plain(text[1:-1]))
            elif kind == "set":
                part = _set(text)
            else:
                assert text == "("
                part = self._either()
                self._at += 1
            parts.append(self._repeated(part))
        return ("sequence", parts)

    def _repeated(self, part: Node) -> Node:
        if self._at >= len(self._tokens):
            return part
        kind, text = self._tokens[self._at]
        bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(text) if kind == "mark" else None
        if kind == "repeat":
            low, comma, high = text[1:-1].partition(",")
            bounds = (int(low), int(high) if high else None if comma else int(low))
        if bounds is None:
            return part
        self._at += 1
        return ("repeat", part, *bounds)

    # --- drawing -----------------------------------------------------------------------------------------------

    def _drawn(self, node: Node, rng: random.Random, most: int, depth: int) -> str:
        match node:
            case ("name", name):
                return self._drawn(self._rules[name], rng, most, depth + 1)
            case ("literal", text):
                return str(text)
            case ("set", ranges):
                low, high = rng.choice(ranges)
                return chr(rng.randint(low, min(high, low + 90)))
            case ("sequence", parts):
                return "".join(self._drawn(part, rng, most, depth) for part in parts)
            case ("either", parts):
                if depth > 40:
                    parts = sorted(parts, key=lambda part: self._depth(part, 12))[:1]
                return self._drawn(rng.choice(parts), rng, most, depth)
            case ("repeat", part, low, high):
                beyond = 0 if depth > 40 else rng.randint(0, most if high is None else min(most, high - low))
                return "".join(self._drawn(part, rng, most, depth) for _ in range(low + beyond))
        raise AssertionError(node)

    def _depth(self, node: Node, left: int) -> int:
        """How many rules lie one in another until a text ends, at most ``left``."""
        match node:
            case ("name", name):
                return 1 + self._depth(self._rules[name], left - 1) if left else 1
            case ("sequence", parts):
                return max((self._depth(part, left) for part in parts), default=0)
            case ("either", parts):
                return min(self._depth(part, left) for part in parts)
            case ("repeat", part, low, _):
                return self._depth(part, left) if low else 0
        return 0

    # --- matching ----------------------------------------------------------------------------------------------

    def _ends(self, node: Node, text: str, at: int, known: dict[tuple[int, int], set[int]]) -> set[int]:
        key = (id(node), at)
        if key not in known:
            known[key] = self._found(node, text, at, known)
        return known[key]

    def _found(self, node: Node, text: str, at: int, known: dict[tuple[int, int], set[int]]) -> set[int]:
        match node:
            case ("name", name):
                return self._ends(self._rules[name], text, at, known)
            case ("literal", wanted):
                return {at + len(wanted)} if text.startswith(wanted, at) else set()
            case ("set", ranges):
                inside = at < len(text) and any(low <= ord(text[at]) <= high for low, high in ranges)
                return {at + 1} if inside else set()
            case ("either", parts):
                return set().union(*(self._ends(part, text, at, known) for part in parts))
            case ("sequence", parts):
                ends = {at}
                for part in parts:
                    ends = set().union(*(self._ends(part, text, each, known) for each in ends))
                return ends
            case ("repeat", part, low, high):
                ends, found = {at}, {at} if low == 0 else set()
                for count in range(1, (len(text) - at + 1 if high is None else high) + 1):
                    ends = set().union(*(self._ends(part, text, each, known) for each in ends))
                    if count >= low and ends <= found:
                        break
                    found |= ends if count >= low else set()
                return found
        raise AssertionError(node)


def _set(text: str) -> Node:
    negated, inner = text[1] == "^", text[2:-1] if text[1] == "^" else text[1:-1]
    characters: list[str] = []
    for found in re.finditer(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[^\\]", inner, re.DOTALL):
        characters.append(found[0])
    ranges, at = [], 0
    while at < len(characters):
        low = high = ord(_plain(characters[at]))
        if at + 2 < len(characters) and characters[at + 1] == "-" and (at > 0 or characters[0] != "-"):
            high = ord(_plain(characters[at + 2]))
            at += 2
        at += 1
        ranges.append((low, high))
    assert all(low <= high for low, high in ranges)
    if negated:
        ranges = _complement(ranges)
    return ("set", [(low, high) for low, high in ranges if not 0xD800 <= low <= 0xDFFF])


def _complement(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found, at = [], 0
    for low, high in sorted([*ranges, (0xD800, 0xDFFF)]):
        if low > at:
            found.append((at, low - 1))
        at = max(at, high + 1)
    return [*found, (at, 0x10FFFF)]
