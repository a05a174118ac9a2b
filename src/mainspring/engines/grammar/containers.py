"""Arrays and objects as rules of a grammar."""

from __future__ import annotations

import json
from typing import Any, Protocol

from mainspring.engines.grammar import expressions
from mainspring.engines.grammar.conjunction import Simple
from mainspring.engines.grammar.expressions import literal
from mainspring.engines.grammar.normal import same

MAX_COUNTED = 1_000
MAX_CHOSEN = 32
"""The most optional properties whose number is counted."""


class Writer(Protocol):
    """What writes the rules of values."""

    checked: set[str]

    def value(self, schema: Any) -> str | None: ...
    def rule(self, body: str) -> str: ...
    def ground(self, name: str) -> str: ...
    def characters(self, simple: Simple) -> str | None: ...
    def holds(self, schema: Any, value: Any) -> bool: ...
    def target(self, schema: Any) -> Any: ...


def array(writer: Writer, simple: Simple) -> str | None:
    """Lists of what ``simple`` says; None: there are none."""
    least, most = simple.get("minItems", 0), simple.get("maxItems")
    prefix, items = (
        list(simple.get("prefixItems", ())),
        simple.get("items", "prefixItems" not in simple),
    )
    if items is True and not simple.keys() & {"minItems", "maxItems", "uniqueItems", "contains", "prefixItems"}:
        return writer.ground("array")
    if "contains" in simple and simple.get("minContains", 1) > 0:
        count = simple.get("minContains", 1)
        # What must be there comes first, so that no counting is needed.
        behind = max(count, len(prefix))
        prefix = [prefix[at] if at < len(prefix) else items for at in range(behind)]
        prefix = [{"allOf": [each, simple["contains"]]} if at < count else each for at, each in enumerate(prefix)]
    if "maxContains" in simple:
        writer.checked.add("maxContains")
    if simple.get("uniqueItems") and (most is None or most > 1):
        if not prefix and (values := _listed(writer.target(items))) is not None:
            return _subset(writer, values, least, most)
        writer.checked.add("uniqueItems")
    if most is not None and most < len(prefix):
        prefix = prefix[:most]
        if "contains" in simple and len(prefix) < simple.get("minContains", 1):
            return None
    rules = [writer.value(each) for each in prefix]
    if None in rules:
        return None
    element = writer.value(items)
    return _list(
        writer,
        [rule for rule in rules if rule],
        element,
        least - len(prefix),
        None if most is None else most - len(prefix),
    )


def _list(writer: Writer, first: list[str], element: str | None, least: int, most: int | None) -> str | None:
    space = writer.ground("space")
    if element is None and least > 0:
        return None
    rest = ""
    if element is not None and (most is None or most > 0):
        if most is not None and most > MAX_COUNTED:
            writer.checked.add("maxItems")
            most = None
        if least > MAX_COUNTED:
            writer.checked.add("minItems")
            least = MAX_COUNTED
        following = f'("," {space} {element})'
        if first:
            rest = f" {following}{_times(max(0, least), most)}"
        else:
            some = f"{element} {following}{_times(max(0, least - 1), None if most is None else most - 1)} {space}"
            return writer.rule(f'"[" {space} {some} "]"' if least > 0 else f'"[" {space} ({some})? "]"')
    inner = f' "," {space} '.join(first)
    return writer.rule(f'"[" {space} {inner}{rest} {space} "]"' if first else f'"[" {space} "]"')


def _times(least: int, most: int | None) -> str:
    if most is None:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    return f"{{{least},{most}}}"


def _listed(items: Any) -> list[Any] | None:
    """The few values that ``items`` has; None: it has others."""
    if not isinstance(items, dict):
        return None
    if items.get("type") == "boolean" and items.keys() == {"type"}:
        return [False, True]
    values = items.get("enum")
    return values if isinstance(values, list) and items.keys() <= {"enum", "type"} and len(values) <= 64 else None


def _subset(writer: Writer, values: list[Any], least: int, most: int | None) -> str | None:
    """Each value at most once, in their order."""
    distinct = [value for at, value in enumerate(values) if not any(same(value, each) for each in values[:at])]
    most = len(distinct) if most is None else min(most, len(distinct))
    if least > most:
        return None
    space = writer.ground("space")
    known: dict[tuple[int, int, bool], str] = {}

    def behind(at: int, count: int, some: bool) -> str:
        """What may follow when the values from ``at`` on are left and ``count`` were taken."""
        if at == len(distinct) or count == most:
            return '""' if count >= least else ""
        key = (at, min(count, max(least, most)), some)
        if key not in known:
            taken = behind(at + 1, count + 1, True)
            left = behind(at + 1, count, some)
            comma = f'"," {space} ' if some else ""
            text = literal(json.dumps(distinct[at], ensure_ascii=False))
            parts = [f"{comma}{text} {taken}"] if taken else []
            parts += [left] if left else []
            known[key] = writer.rule(" | ".join(parts)) if parts else ""
        return known[key]

    body = behind(0, 0, False)
    return writer.rule(f'"[" {space} {body} {space} "]"') if body else None


def object_(writer: Writer, simple: Simple) -> str | None:
    """Objects of what ``simple`` says; None: there are none."""
    space, shape = writer.ground("space"), _Shape(writer, simple)
    if shape.impossible:
        return None
    if shape.any:
        return writer.ground("object")
    body = shape.body()
    if body is None:
        return None
    return writer.rule(f'"{{" {space} {body} {space} "}}"' if body else f'"{{" {space} "}}"')


class _Shape:
    """The pairs of an object: those that are named, in their order, then others."""

    def __init__(self, writer: Writer, simple: Simple) -> None:
        self._writer = writer
        self._space = writer.ground("space")
        self._names = simple.get("propertyNames", True)
        self._patterns = dict(simple.get("patternProperties", {}))
        self._given = dict(simple.get("properties", {}))
        self._extra = simple.get("additionalProperties", not (self._given or self._patterns))
        self._closed = simple.get("additionalProperties") is False
        self._least, self._most = int(simple.get("minProperties", 0)), simple.get("maxProperties")
        self._required = list(simple.get("required", ()))
        self.impossible = False
        self.any = not simple.keys() & (
            {"properties", "patternProperties", "required", "propertyNames", "minProperties", "maxProperties"}
        ) and (self._extra is True or self._extra == {})
        self._pairs: list[tuple[str, bool]] = []
        self._resolve(simple)

    def _resolve(self, simple: Simple) -> None:
        self._names = self._writer.target(self._names)
        listed = _listed(self._names)
        if listed is not None:
            names = [name for name in listed if isinstance(name, str)]
            for name in names:
                self._given.setdefault(name, self._for(name))
            self._extra = False
            self._given = {name: child for name, child in self._given.items() if name in names}
            self._names = True
            self.impossible = any(name not in names for name in self._required)
        for name in self._required:
            if name not in self._given:
                self._given[name] = self._for(name, simple.get("additionalProperties", True))
        for name, child in self._given.items():
            wanted = self._matching(name)
            rule = self._writer.value({"allOf": [child, *wanted]} if wanted else child)
            if rule is not None and self._names is not True and not self._writer.holds(self._names, name):
                rule = None
            if rule is not None:
                key = literal(json.dumps(name, ensure_ascii=False))
                self._pairs.append((f'{key} ":" {self._space} {rule}', name in self._required))
            elif name in self._required:
                self.impossible = True
        if listed is not None:
            # No other name is left for a pattern.
            self._patterns = {}

    def _for(self, name: str, otherwise: Any = None) -> Any:
        """The schema of a property that has none by its name."""
        return True if self._matching(name) else self._extra if otherwise is None else otherwise

    def _matching(self, name: str) -> list[Any]:
        return [
            child
            for pattern, child in self._patterns.items()
            if (matches := expressions.matcher(pattern)) is not None and matches(name)
        ]

    def body(self) -> str | None:
        """The pairs; empty: none. None: their number is impossible."""
        other = self._other()
        needed = sum(required for _, required in self._pairs)
        least = max(0, self._least - needed)
        most = None if self._most is None else self._most - needed
        optional = len(self._pairs) - needed
        if most is not None and most < 0:
            return None
        if most is not None and other is None and most >= optional:
            most = None
        if optional > MAX_CHOSEN and (least or most is not None):
            self._writer.checked.update(["minProperties"] * bool(least) + ["maxProperties"] * (most is not None))
            least, most = 0, None
        return self._chain(other, least, most)

    def _chain(self, other: str | None, least: int, most: int | None) -> str | None:
        """From the last pair back. A state is how many optional pairs were written, and whether any pair was."""
        comma, rule = f'"," {self._space} ', self._writer.rule
        counts = range(len(self._pairs) + 1) if least or most is not None else range(1)
        states = {
            (count, some): self._others(other, count, some, least, most) for count in counts for some in (False, True)
        }
        for pair, needed in reversed(self._pairs):
            before: dict[tuple[int, bool], str | None] = {}
            for count, some in states:
                after = states.get((min(count + (not needed), counts[-1]), True))
                ways = [] if after is None else [f"{comma if some else ''}{pair} {after}".strip()]
                left = None if needed else states[count, some]
                ways += [] if left is None else [left or '""']
                before[count, some] = rule(" | ".join(ways)) if ways else None
            states = before
        return states[0, False]

    def _others(self, other: str | None, count: int, some: bool, least: int, most: int | None) -> str | None:
        """What may come behind the named pairs; None: nothing that makes their number right."""
        missing = max(0, least - count)
        room = None if most is None else most - count
        if (room is not None and room < 0) or (missing and other is None):
            return None
        if other is None or room == 0:
            return None if missing else ""
        if missing > 1:
            # Another pair may have a name again, so that it counts for nothing.
            self._writer.checked.add("minProperties")
        if room is not None and missing > room:
            return None
        room = None if room is not None and room > MAX_COUNTED else room
        if some:
            return self._writer.rule(f'("," {self._space} {other}){_times(missing, room)}')
        following = f'("," {self._space} {other}){_times(max(0, missing - 1), None if room is None else room - 1)}'
        return self._writer.rule(f"{other} {following}" if missing else f"({other} {following})?")

    def _other(self) -> str | None:
        """The rule for a pair beyond those with names; None: there are none."""
        patterns = self._patterns
        if any(
            (matches := expressions.matcher(each)) is not None and matches("any name") and matches("")
            for each in patterns
        ):
            # A pattern for every name: it holds for line breaks in names, too, or is near enough to be checked.
            if self._closed:
                self._writer.checked.add("patternProperties")
            self._extra = {"allOf": [self._extra if self._extra is not False else True, *patterns.values()]}
            patterns = {}
        if patterns:
            return self._of_patterns(patterns)
        if self._extra is False or (rule := self._writer.value(self._extra)) is None:
            return None
        return f'{self._key()} ":" {self._space} {rule}'

    def _of_patterns(self, patterns: dict[str, Any]) -> str | None:
        if len(patterns) > 1 or self._names is not True or any(self._matching(name) for name in self._given):
            self._writer.checked.add("patternProperties")
        pairs = []
        for pattern, child in patterns.items():
            key = self._writer.characters({"patterns": [pattern]})
            rule = self._writer.value(child)
            if rule is not None:
                pairs.append(f'"\\"" {key or expressions.ANY} "\\"" ":" {self._space} {rule}')
        return self._writer.rule(" | ".join(pairs)) if pairs else None

    def _key(self) -> str:
        """Names other than those that are given."""
        if self._names is not True and self._names != {"type": "string"} and self._names != {}:
            kinds = self._names.keys() if isinstance(self._names, dict) else set()
            if kinds <= {"type", "pattern", "format", "minLength", "maxLength"} and (
                rule := self._writer.value(self._names)
            ):
                if self._given:
                    self._writer.checked.add("propertyNames")
                return rule
            self._writer.checked.add("propertyNames")
        if not self._given:
            return self._writer.ground("string")
        return self._writer.rule(f'"\\"" ({_except(self._writer, list(self._given))}) "\\""')


def _except(writer: Writer, names: list[str]) -> str:
    """Characters of a name that is none of ``names``, character by character."""
    branches: dict[str, list[str]] = {}
    for name in names:
        if name:
            branches.setdefault(name[0], []).append(name[1:])
    parts = [f"{expressions.without(''.join(branches))} {expressions.ANY}"]
    parts += [f"{expressions.one(first)} {writer.rule(_except(writer, rest))}" for first, rest in branches.items()]
    if "" not in names:
        parts.append('""')
    return " | ".join(parts)
