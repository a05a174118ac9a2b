"""Context-free grammars as llama.cpp (GBNF), xgrammar and vLLM write them, checked before an engine compiles them.

    root   ::= answer " because " reason
    answer ::= "yes" | "no"
    reason ::= [a-z ]{3,80} "."          # a comment

A rule may go over several lines. Elements are literals with JSON's escapes, sets of characters, names of rules and
groups, each with ``*``, ``+``, ``?`` or ``{n,m}`` behind it. The answer is what ``root`` admits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mainspring.core.errors import InvalidSchema

MAX_BYTES = 16_384
MAX_RULES = 256
MAX_DEPTH = 32
MAX_REPEAT = 1_000
ROOT = "root"

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|\#[^\n]*)+)
    |(?P<name>[A-Za-z_][\w-]*)
    |(?P<is>::=)
    |(?P<literal>"(?:[^"\\\n]|\\(?:["\\/bfnrt'\[\]-]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}))*")
    |(?P<set>\[\^?(?:[^\]\\\n]|\\(?:["\\/bfnrtdswDSW\[\]^'-]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}))+\])
    |(?P<repeat>\{\s*\d{1,5}\s*(?:,\s*(?:\d{1,5})?\s*)?\})
    |(?P<mark>[|()*+?])""",
    re.VERBOSE,
)


@dataclass(slots=True)
class _Rule:
    """``alternatives`` are sequences of (element, whether it may be empty); an element is a rule's name or None for
    characters."""

    alternatives: list[list[tuple[str | None, bool]]] = field(default_factory=list)


def check(source: str) -> None:
    """Raise ``InvalidSchema`` unless ``source`` is a grammar whose root can be generated without an endless loop."""
    if len(source.encode("utf-8", "replace")) > MAX_BYTES:
        raise _invalid(f"it is longer than {MAX_BYTES} bytes")
    rules = _Parser(list(_tokens(source))).rules()
    if ROOT not in rules:
        raise _invalid(f"it has no rule {ROOT!r}")
    if len(rules) > MAX_RULES:
        raise _invalid(f"it has more than {MAX_RULES} rules")
    for name, rule in rules.items():
        for element in (each for alternative in rule.alternatives for each, _ in alternative):
            if element is not None and element not in rules:
                raise _invalid(f"rule {name!r} names {element!r}, which is not defined")
    _ends(rules)
    _left_recursion(rules, _nullable(rules))


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None:
            line = source.count("\n", 0, at) + 1
            raise _invalid(f"line {line} cannot be read from {source[at : at + 16]!r} on")
        if found.lastgroup != "space":
            yield str(found.lastgroup), found[0]
        at = found.end()


class _Parser:
    """Recursive descent. Groups become rules of their own, under names that no source can write."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._rules: dict[str, _Rule] = {}
        self._groups = 0

    def rules(self) -> dict[str, _Rule]:
        while self._at < len(self._tokens):
            name = self._take("name")
            self._take("is")
            if name in self._rules:
                raise _invalid(f"rule {name!r} is defined twice")
            self._rules[name] = _Rule()
            self._rules[name].alternatives = self._alternatives(0)
        return self._rules

    def _alternatives(self, depth: int) -> list[list[tuple[str | None, bool]]]:
        if depth > MAX_DEPTH:
            raise _invalid(f"its groups are nested deeper than {MAX_DEPTH} levels")
        found = [self._sequence(depth)]
        while self._next() == ("mark", "|"):
            self._at += 1
            found.append(self._sequence(depth))
        return found

    def _sequence(self, depth: int) -> list[tuple[str | None, bool]]:
        elements: list[tuple[str | None, bool]] = []
        while True:
            kind, text = self._next()
            if kind == "name" and self._next(1)[0] != "is":
                element, empty = text, False
            elif kind in ("literal", "set"):
                element, empty = None, text == '""'
            elif (kind, text) == ("mark", "("):
                self._at += 1
                self._groups += 1
                element, empty = f"({self._groups})", False
                self._rules[element] = _Rule()
                self._rules[element].alternatives = self._alternatives(depth + 1)
                if self._next() != ("mark", ")"):
                    raise _invalid("a group is not closed")
            else:
                return elements
            self._at += 1
            elements.append((element, self._optional() or empty))

    def _optional(self) -> bool:
        """Whether the repetition at this position, if any, matches nothing at all."""
        kind, text = self._next()
        if kind == "repeat":
            self._at += 1
            low, _, high = text[1:-1].partition(",")
            bounds = [int(each) for each in (low, high) if each.strip()]
            if max(bounds) > MAX_REPEAT or bounds != sorted(bounds):
                raise _invalid(f"{text} must go from 0 to at most {MAX_REPEAT}, upwards")
            return bounds[0] == 0
        if kind == "mark" and text in "*+?":
            self._at += 1
            return text != "+"
        return False

    def _take(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            wanted = {"name": "the name of a rule", "is": "::="}[kind]
            raise _invalid(f"expected {wanted}, found {text or 'its end'!r}")
        self._at += 1
        return text

    def _next(self, ahead: int = 0) -> tuple[str, str]:
        return self._tokens[self._at + ahead] if self._at + ahead < len(self._tokens) else ("", "")


def _nullable(rules: dict[str, _Rule]) -> set[str]:
    """The rules that match nothing at all."""
    found: set[str] = set()
    while True:
        more = {
            name
            for name, rule in rules.items()
            if any(all(empty or each in found for each, empty in alternative) for alternative in rule.alternatives)
        }
        if more == found:
            return found
        found = more


def _ends(rules: dict[str, _Rule]) -> None:
    """Refuse rules that admit no finite text."""
    found: set[str] = set()
    while True:
        more = {
            name
            for name, rule in rules.items()
            if any(all(each is None or empty or each in found for each, empty in a) for a in rule.alternatives)
        }
        if more == found:
            break
        found = more
    endless = sorted(name for name in rules.keys() - found if not name.startswith("("))
    if endless:
        raise _invalid(f"rule {endless[0]!r} never comes to an end")


def _left_recursion(rules: dict[str, _Rule], nullable: set[str]) -> None:
    """Refuse rules that begin with themselves: matchers loop on them."""
    firsts: dict[str, set[str]] = {}
    for name, rule in rules.items():
        firsts[name] = set()
        for alternative in rule.alternatives:
            for element, empty in alternative:
                if element is not None:
                    firsts[name].add(element)
                if not (empty or element in nullable):
                    break
    for name in rules:
        seen: set[str] = set()
        pending = list(firsts[name])
        while pending:
            current = pending.pop()
            if current == name:
                shown = next((each for each in (name, *seen) if not each.startswith("(")), name)
                raise _invalid(f"rule {shown!r} begins with itself; put the repetition behind (x*)")
            if current not in seen:
                seen.add(current)
                pending.extend(firsts[current])


def _invalid(problem: str) -> InvalidSchema:
    return InvalidSchema(f"the grammar is refused: {problem}", param="response_format")
