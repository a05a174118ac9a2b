"""Context-free grammars as llama.cpp (GBNF), xgrammar and vLLM write them, checked before an engine compiles them.

    root   ::= answer " because " reason
    answer ::= "yes" | "no"
    reason ::= [a-z ]{3,80} "."          # a comment

A rule may go over several lines. Elements are literals with JSON's escapes, sets of characters, names of rules and
groups, each with ``*``, ``+``, ``?`` or ``{n,m}`` behind it. The answer is what ``root`` admits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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


def check(source: str, *, max_bytes: int = MAX_BYTES, max_rules: int = MAX_RULES, max_depth: int = MAX_DEPTH) -> None:
    """Raise ``InvalidSchema`` unless ``source`` is a grammar whose root can be generated without an endless loop."""
    if len(source.encode("utf-8", "replace")) > max_bytes:
        raise _invalid(f"it is longer than {max_bytes} bytes")
    rules = _Parser(list(_tokens(source)), max_depth).rules()
    if ROOT not in rules:
        raise _invalid(f"it has no rule {ROOT!r}")
    if len(rules) > max_rules:
        raise _invalid(f"it has more than {max_rules} rules")
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

    def __init__(self, tokens: list[tuple[str, str]], max_depth: int) -> None:
        self._tokens = tokens
        self._max_depth = max_depth
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
        if depth > self._max_depth:
            raise _invalid(f"its groups are nested deeper than {self._max_depth} levels")
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


def _closed(rules: dict[str, _Rule], needed: Callable[[str | None, bool], bool]) -> set[str]:
    """The rules with an alternative of which every element that is ``needed`` is such a rule, too. In linear time."""
    waiting: dict[str, list[list[int | str]]] = {}
    found: set[str] = set()
    ready: list[str] = []
    for name, rule in rules.items():
        for alternative in rule.alternatives:
            missing = [str(each) for each, empty in alternative if needed(each, empty)]
            entry: list[int | str] = [len(missing), name]
            for each in missing:
                waiting.setdefault(each, []).append(entry)
            if not missing:
                ready.append(name)
    while ready:
        name = ready.pop()
        if name in found:
            continue
        found.add(name)
        for entry in waiting.get(name, ()):
            entry[0] = int(entry[0]) - 1
            if entry[0] == 0:
                ready.append(str(entry[1]))
    return found


def _nullable(rules: dict[str, _Rule]) -> set[str]:
    """The rules that match nothing at all. Characters, which have no name, never do."""
    return _closed(rules, lambda _, empty: not empty)


def _ends(rules: dict[str, _Rule]) -> None:
    """Refuse rules that admit no finite text."""
    found = _closed(rules, lambda element, empty: element is not None and not empty)
    endless = sorted(name for name in rules.keys() - found if not name.startswith("("))
    if endless:
        raise _invalid(f"rule {endless[0]!r} never comes to an end")


def _left_recursion(rules: dict[str, _Rule], nullable: set[str]) -> None:
    """Refuse rules that begin with themselves: matchers loop on them. Depth first, each rule once."""
    firsts: dict[str, list[str]] = {}
    for name, rule in rules.items():
        firsts[name] = []
        for alternative in rule.alternatives:
            for element, empty in alternative:
                if element is not None:
                    firsts[name].append(element)
                if not (empty or element in nullable):
                    break
    done: set[str] = set()
    for start in rules:
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(firsts[start])}
        while path:
            current = next(reversed(path))
            step = next((each for each in path[current] if each not in done), None)
            if step is None:
                done.add(current)
                del path[current]
            elif step in path:
                names = list(path)
                circle = names[names.index(step) :]
                shown = next((each for each in circle if not each.startswith("(")), step)
                raise _invalid(f"rule {shown!r} begins with itself; put the repetition behind (x*)")
            else:
                path[step] = iter(firsts[step])


def _invalid(problem: str) -> InvalidSchema:
    return InvalidSchema(f"the grammar is refused: {problem}", param="response_format")
