"""JSON schemas as context-free grammars, which every grammar backend enforces alike.

What a grammar admits, the schema admits, except for the keywords that are reported as ``checked``: validation has to
look at these. A grammar may admit less: properties come in the order of the schema, an object with properties gets no
others unless it asks for them, white space is a blank, or a line's end and its indentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from mainspring.core.errors import InvalidSchema
from mainspring.core.types import Grammar
from mainspring.engines.grammar import checks, ebnf, expressions, formats, number_rules, validation
from mainspring.engines.grammar.conjunction import Alternatives, Simple, TooMany
from mainspring.engines.grammar.expressions import literal
from mainspring.engines.grammar.normal import PARAM, invalid, normalised

MAX_RULES = 6_000
MAX_SOURCE = 200_000
MAX_COUNTED = 100
"""The most repetitions that are counted: compilers take seconds for more."""
MAX_LISTED = 500
"""The most multiples that are listed."""
_GROUND = {
    "space": '(" " | "\\n" [ \\t]{0,20})?',
    "string": f'"\\"" {expressions.ANY} "\\""',
    "number": number_rules.NUMBER,
    "any": '"null" | "true" | "false" | number | string | array | object',
    "array": '"[" space (any ("," space any)* space)? "]"',
    "object": '"{" space (pair ("," space pair)* space)? "}"',
    "pair": 'string ":" space any',
}
_NEEDED = {
    "space": (),
    "string": (),
    "number": (),
    "any": ("number", "string", "array", "object"),
    "array": ("space", "any"),
    "object": ("space", "pair"),
    "pair": ("string", "space", "any"),
}
_KIND = {
    **dict.fromkeys(
        "properties patternProperties required additionalProperties propertyNames minProperties maxProperties".split(),
        "object",
    ),
    **dict.fromkeys(
        "items prefixItems minItems maxItems uniqueItems contains minContains maxContains".split(), "array"
    ),
    **dict.fromkeys("patterns formats minLength maxLength".split(), "string"),
    **dict.fromkeys("minimum maximum exclusiveMinimum exclusiveMaximum multipleOf".split(), "number"),
}


@dataclass(frozen=True, slots=True)
class Translation:
    """A schema's ``grammar`` (None: there is none), the keywords that have to be ``checked`` when the text is there,
    and those that no draft of JSON Schema knows (``ignored``)."""

    grammar: str | None
    checked: tuple[str, ...]
    ignored: tuple[str, ...]


@lru_cache(256)
def translate(source: str) -> Translation:
    """The translation of a JSON schema. Raises ``InvalidSchema``, naming the place."""
    normal = normalised(source)
    # What a grammar leaves has to be checked, so what cannot be checked is refused.
    validation.require_checkable(normal.schema)
    writer = _Writer(normal.schema.get("$defs", {}))
    try:
        grammar = writer.grammar({name: value for name, value in normal.schema.items() if name != "$defs"})
        writer.check(grammar, normal.references)
    except (TooMany, RecursionError):
        return Translation(None, ("everything",), (*normal.ignored, *sorted(writer.remarks)))
    return Translation(grammar, tuple(sorted(writer.checked)), (*normal.ignored, *sorted(writer.remarks)))


class _Writer:
    """Writes one rule for each distinct part."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self.checked: set[str] = set()
        self.remarks: set[str] = set()
        self._definitions = definitions
        self._alternatives = Alternatives(definitions, self.checked.add, self._holds)
        self._size = 0
        self._rules: dict[str, str] = {}
        self._bodies: dict[str, str] = {}
        self._referred: dict[str, str] = {}
        self._values: dict[str, str] = {}

    def grammar(self, schema: Any) -> str:
        """All rules. Raises ``InvalidSchema`` and ``TooMany``."""
        root = self.value(schema)
        if root is None:
            raise invalid("it admits nothing")
        return "\n".join([f"root ::= {root}", *(f"{name} ::= {body}" for name, body in self._rules.items())]) + "\n"

    def check(self, grammar: str, references: dict[str, str]) -> None:
        """Raise ``InvalidSchema`` if a reference leads back to itself with nothing written, or has no end."""
        try:
            ebnf.check(grammar, max_bytes=MAX_SOURCE, max_rules=MAX_RULES, max_depth=200)
        except InvalidSchema as error:
            for reference, name in self._referred.items():
                if f"'{name}'" in error.message:
                    shown = references.get(reference.rpartition("/")[2], reference)
                    problem = error.message.rpartition(f"'{name}'")[2].partition(";")[0]
                    raise invalid(f"$ref {shown!r}{problem}: it refers to itself") from None
            if "comes to an end" in error.message:
                raise invalid("it never comes to an end: a $ref requires what holds it") from None
            raise TooMany from None

    def ground(self, name: str) -> str:
        if name not in self._rules:
            self._rules[name] = _GROUND[name]
            for each in _NEEDED[name]:
                self.ground(each)
        return name

    def rule(self, body: str) -> str:
        """The name of a rule with that body."""
        if body not in self._bodies:
            self._size += len(body)
            if len(self._bodies) > MAX_RULES or self._size > MAX_SOURCE:
                raise TooMany
            self._bodies[body] = f"r{len(self._bodies)}"
            self._rules[self._bodies[body]] = body
        return self._bodies[body]

    def value(self, schema: Any) -> str | None:
        """The rule for the values of ``schema``; None: there are none."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._values:
            found = [rule for each in self._alternatives.of(schema) if (rule := self._simple(each)) is not None]
            if not found:
                return None
            distinct = list(dict.fromkeys(found))
            self._values[key] = distinct[0] if len(distinct) == 1 else self.rule(" | ".join(distinct))
        return self._values[key]

    def _simple(self, simple: Simple) -> str | None:
        if "$ref" in simple:
            return self._reference(simple["$ref"])
        if "enum" in simple:
            rest = {name: value for name, value in simple.items() if name != "enum"}
            texts = [literal(_text(value)) for value in simple["enum"] if self._holds(_public(rest), value)]
            return self.rule(" | ".join(dict.fromkeys(texts))) if texts else None
        implied = list(dict.fromkeys(kind for name in simple if (kind := _KIND.get(name))))
        kinds = simple.get("type") or implied
        if not kinds:
            return self.ground("any")
        found = [rule for kind in kinds if (rule := self._kind(kind, simple)) is not None]
        return None if not found else found[0] if len(found) == 1 else self.rule(" | ".join(found))

    def _reference(self, reference: str) -> str | None:
        if reference not in self._referred:
            # The rule's name is known before its body: the body may refer to it.
            name = self._referred[reference] = f"ref{len(self._referred)}"
            body = self.value(self._alternatives.target(reference))
            if body is None:
                raise invalid(f"{reference} admits nothing")
            self._rules[name] = body
        return self._referred[reference]

    def _kind(self, kind: str, simple: Simple) -> str | None:
        from mainspring.engines.grammar.containers import array, object_

        match kind:
            case "null":
                return '"null"'
            case "boolean":
                return self.rule('"true" | "false"')
            case "string":
                inner = self.characters(simple)
                return (
                    None
                    if inner is None
                    else self.ground("string")
                    if inner == ""
                    else self.rule(f'"\\"" {inner} "\\""')
                )
            case "array":
                return array(self, simple)
            case "object":
                return object_(self, simple)
            case _:
                return self._number(simple, whole=kind == "integer")

    # --- numbers -----------------------------------------------------------------------------------------------

    def _number(self, simple: Simple, *, whole: bool) -> str | None:
        low, above = _tighter(simple, "minimum", "exclusiveMinimum", max)
        high, below = _tighter(simple, "maximum", "exclusiveMaximum", min)
        step = Decimal(repr(simple["multipleOf"])) if "multipleOf" in simple else None
        if step is not None and whole and step == 1:
            step = None
        if step is not None and step == 1:
            step, whole = None, True
        digits = number_rules.DIGITS
        if step is not None:
            listed = _multiples(low, high, step, above=above, below=below, whole=whole)
            if listed is not None:
                return self.rule(" | ".join(f'"{each}"' for each in listed)) if listed else None
            rule = number_rules.multiples(low, high, step, above=above, whole=whole)
            if rule is not None:
                return self.rule(rule)
            _, figures, exponent = step.normalize().as_tuple()
            if not whole and figures == (1,) and isinstance(exponent, int) and -number_rules.DIGITS <= exponent < 0:
                digits = -exponent
            else:
                self.checked.add("multipleOf")
                step = None
        if whole:
            least = None if low is None else int(low.to_integral_value(rounding="ROUND_CEILING"))
            most = None if high is None else int(high.to_integral_value(rounding="ROUND_FLOOR"))
            least = least + 1 if least is not None and above and least == low else least
            most = most - 1 if most is not None and below and most == high else most
            rule = number_rules.integers(least, most)
        elif low is None and high is None and step is None:
            return self.ground("number")
        else:
            rule = number_rules.numbers(low, high, above=above, below=below, digits=digits)
        return None if rule is None else self.rule(rule)

    # --- strings -----------------------------------------------------------------------------------------------

    def characters(self, simple: Simple) -> str | None:
        """The rule for the characters of a string; empty: any. None: there are none."""
        least, most = simple.get("minLength", 0), simple.get("maxLength")
        if most is not None and least > most:
            return None
        patterns = [each for each in simple.get("patterns", ()) if expressions.matcher(each) or each in formats.KNOWN]
        names = [name for name in simple.get("formats", ()) if name in formats.CHECKS]
        if "patterns" not in simple:
            self.remarks.update(f"format:{name}" for name in simple.get("formats", ()) if name not in formats.CHECKS)
        chosen, source = None, ""
        for source in [*patterns, *names]:
            if (chosen := self._expression(source)) is not None:
                break
        if chosen is None:
            self.checked.update(["pattern"] * bool(patterns) + ["format"] * bool(names))
            return self._counted(least, most)
        self.checked.update("pattern" for each in patterns if each != source)
        self.checked.update(
            "format" for name in names if name != source and not any(formats.implies(each, name) for each in patterns)
        )
        rule, shortest, longest = chosen
        if (of_class := expressions.of_class(source, least, most)) is not None and (most or least) <= MAX_COUNTED:
            return of_class
        if longest is not None and longest < least:
            return None
        if least > shortest:
            self.checked.add("minLength")
        if most is not None and (longest is None or most < longest):
            self.checked.add("maxLength")
        return rule

    def _expression(self, source: str) -> tuple[str, int, int | None] | None:
        known = formats.KNOWN.get(source)
        text = formats.GENERATED.get(source) or (known.generated if known else "") or expressions.without_looks(source)
        found = expressions.grammar(text)
        if found is not None and known is None and text != source and source not in formats.GENERATED:
            self.checked.add("pattern")
        return found

    def _counted(self, least: int, most: int | None) -> str:
        if most is not None and most > MAX_COUNTED:
            self.checked.add("maxLength")
            most = None
        if least > MAX_COUNTED:
            self.checked.add("minLength")
            least = 0
        if most is not None:
            return f"{expressions.CHARACTER}{{{least},{most}}}"
        return f"{expressions.CHARACTER}{{{least}}} {expressions.ANY}" if least else ""

    def target(self, schema: Any) -> Any:
        """What ``schema`` refers to, if it is a reference and nothing else."""
        for _ in range(8):
            if not isinstance(schema, dict) or schema.keys() != {"$ref"}:
                break
            schema = self._alternatives.target(schema["$ref"])
        return schema

    def holds(self, schema: Any, value: Any) -> bool:
        return self._holds(schema, value)

    def _holds(self, schema: Any, value: Any) -> bool:
        return validation.admits({"$defs": self._definitions, **schema} if isinstance(schema, dict) else schema, value)


def _public(simple: Simple) -> Simple:
    """``simple`` in the words of JSON Schema."""
    found = {name: value for name, value in simple.items() if name not in ("patterns", "formats")}
    parts = [{"pattern": each} for each in simple.get("patterns", ())]
    parts += [{"format": each} for each in simple.get("formats", ())]
    return {**found, "allOf": parts} if parts else found


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _tighter(simple: Simple, inclusive: str, exclusive: str, tighter: Any) -> tuple[Decimal | None, bool]:
    """The bound and whether it is excluded itself."""
    bounds = [(Decimal(repr(simple[name])), name == exclusive) for name in (inclusive, exclusive) if name in simple]
    if not bounds:
        return None, False
    bound = tighter(each for each, _ in bounds)
    return bound, any(excluded for each, excluded in bounds if each == bound)


def _multiples(
    low: Decimal | None, high: Decimal | None, step: Decimal, *, above: bool, below: bool, whole: bool
) -> list[str] | None:
    """All multiples of ``step`` between two bounds; None: there are too many."""
    if low is None or high is None or (high - low) / step > MAX_LISTED:
        return None
    first, last = (low / step).to_integral_value("ROUND_CEILING"), (high / step).to_integral_value("ROUND_FLOOR")
    found = [step * count for count in range(int(first), int(last) + 1)]
    found = [each for each in found if not (above and each == low) and not (below and each == high)]
    return [_plainly(each) for each in found if not whole or each == each.to_integral_value()]


def _plainly(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def enforceable(grammar: Grammar, compiled: bool, *, param: str = PARAM) -> Grammar:
    """What an engine gets: JSON schemas as context-free grammars where it is ``compiled``.

    What such a grammar leaves is checked where the answer is whole. Raises ``InvalidSchema`` naming ``param``.
    """
    if grammar.kind != "json_schema" or not compiled:
        return checks.check(grammar, param=param)
    try:
        found = translate(grammar.source)
        if found.grammar is None:
            raise invalid("it has too many alternatives to be enforced while generating")
    except InvalidSchema as error:
        raise InvalidSchema(error.message, remedy=error.remedy, param=param) from None
    return Grammar("ebnf", found.grammar)


def keywords(checked: Iterable[str]) -> str:
    """Names of keywords for a header."""
    return ",".join(name for name in checked if name.replace("$", "").replace(":", "").replace("-", "").isalnum())
