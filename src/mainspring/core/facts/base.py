"""The base of facts: dataclasses that are written as JSON without default values, and can be read from any JSON."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

from mainspring.core.facts.marks import Erase, Keep, Mark

P = TypeVar("P", bound="Part")
F = TypeVar("F", bound="Facts")
_OWN = ("unknown", "origin")
Row = tuple[str, Any, bool, Callable[[Any], Any] | None]
Writing = tuple[Callable[[Any], tuple[Any, ...]], tuple[Row, ...]]
"""The reader of all fields of an instance at once; and for each field its name, its default, whether the default is
omitted from the JSON, and its encoder (None: the value is JSON already)."""
Fits = Callable[[Any], bool]
"""Whether a value of JSON is of a type."""
_INT64 = 2**63
_ZEROS: Mapping[Any, Any] = {str: "", int: 0, float: 0.0, bool: False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A mapping within facts. A field without a default is always written, one with a default only if it differs; a
    missing field is read as the default, or as the empty value of its type."""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        values, rows = _WRITING.get(type(self)) or _writing(type(self))
        made: dict[str, Any] = {}
        # Each request comes here several times.
        for value, (name, default, omitted, encode) in zip(values(self), rows, strict=True):
            if value is default and omitted:
                continue
            if encode is not None and value is not None:
                value = encode(value)
            if not omitted or value != default:
                made[name] = value
        return made

    @classmethod
    def from_json(cls: type[P], found: Mapping[str, Any]) -> P:
        """Read JSON values; unknown fields are dropped."""
        values, _ = shape(cls).known(found)
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts(Part):
    """The facts of an event. ``replay_of`` is the answer whose request is replayed: the event is not user traffic.
    ``imported`` names the other system that recorded the event: it is not live traffic. ``unknown`` has the fields of
    other versions of the program; they are written back unchanged. ``origin`` is the JSON that the facts were read
    from."""

    EVENT: ClassVar[str] = ""
    """The kind of the event."""
    VERSION: ClassVar[int] = 1
    """The current version; older facts are read with missing fields empty."""

    replay_of: Erase[str] = ""
    imported: Keep[str] = ""
    unknown: Mapping[str, Any] | None = None
    origin: Mapping[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    def plain(self) -> dict[str, Any]:
        """As JSON values, for the event log and for readers of the event. Facts that were read are returned as they
        were written."""
        if self.origin is not None:
            return dict(self.origin)
        made = Part.plain(self)
        return made if self.unknown is None else {**self.unknown, **made}

    @classmethod
    def from_json(cls: type[F], found: Mapping[str, Any]) -> F:
        """From the JSON of an event of this kind, written by any version."""
        values, unknown = shape(cls).known(found)
        facts = cls(**values, unknown=unknown or None)
        # A copy by ``dataclasses.replace`` has none.
        object.__setattr__(facts, "origin", found)
        return facts

    @classmethod
    def of(cls: type[F], facts: Facts) -> F:
        """``facts`` as those of this kind, where only such were asked for. Raises ``TypeError`` for others."""
        if not isinstance(facts, cls):
            raise TypeError(f"facts of a {facts.EVENT} event are no {cls.__name__}")
        return facts


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its JSON name and its type as text, its marks in one, whether it is ``omitted`` where it is as by
    default, and the ``part`` that its value, or each of its values (``many``), is. ``fits`` tests a value's type."""

    name: str
    json_type: str
    mark: Mark
    optional: bool
    omitted: bool
    default: Any
    part: type[Part] | None = None
    many: bool = False
    fits: Fits = field(default=lambda _: True, compare=False, repr=False)

    def encode(self, value: Any) -> Any:
        return [each.plain() for each in value] if self.many else value.plain()

    def decode(self, value: Any) -> Any:
        assert self.part is not None
        read = self.part.from_json
        if self.many:
            return (
                [read(each) for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else ()
            )
        return read(value) if isinstance(value, Mapping) else self.default


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a dataclass, and the required ones."""

    fields: tuple[Field, ...]
    by_name: Mapping[str, Field]
    zeros: Mapping[str, Any]

    def known(self, found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values of all known fields in ``found``, and the other content."""
        values, unknown = dict(self.zeros), {}
        for name, value in found.items():
            if (known := self.by_name.get(name)) is None:
                unknown[name] = value
            elif value is not None:
                values[name] = value if known.part is None else known.decode(value)
            elif known.optional:
                values[name] = None
        return values, unknown

    def misfit(self, found: Mapping[str, Any]) -> str:
        """The first field whose value in ``found`` is not of its type; empty: there is none."""
        for name, value in found.items():
            known = self.by_name.get(name)
            if known is None or value is None:
                continue
            if known.part is None:
                if not known.fits(value):
                    return name
                continue
            inner = shape(known.part)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, Mapping) and (wrong := inner.misfit(each)):
                    return f"{name}.{wrong}"
        return ""


_SHAPES: dict[Any, Shape] = {}
_WRITING: dict[Any, Writing] = {}


def shape(kind: type[Part]) -> Shape:
    """The field descriptions of a dataclass of facts. Raises ``TypeError`` for one that has no mark."""
    found = _SHAPES.get(kind)
    if found is None:
        found = _SHAPES[kind] = _shape(kind)
    return found


def _shape(kind: type[Part]) -> Shape:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = [_field(kind, each, hints[each.name]) for each in dataclasses.fields(kind) if each.name not in _OWN]
    zeros = {each.name: each.default for each in fields if not each.omitted}
    return Shape(tuple(fields), {each.name: each for each in fields}, zeros)


def _writing(kind: type[Part]) -> Writing:
    fields = shape(kind).fields
    rows = tuple((each.name, each.default, each.omitted, each.encode if each.part else None) for each in fields)
    names = [each.name for each in fields]
    read: Callable[[Any], tuple[Any, ...]] = lambda facts: tuple(getattr(facts, name) for name in names)  # noqa: E731
    if len(names) > 1:
        read = attrgetter(*names)
    _WRITING[kind] = read, rows
    return _WRITING[kind]


def name_of(kind: type[Part], field: str) -> str:
    """The JSON name of a field, for database queries. Raises ``TypeError`` if there is none."""
    if field not in shape(kind).by_name:
        raise TypeError(f"{kind.__name__} has no field {field}")
    return field


def _field(kind: type[Part], each: dataclasses.Field[Any], hint: Any) -> Field:
    marks: list[Mark] = []
    if typing.get_origin(hint) is typing.Annotated:
        hint, *found = typing.get_args(hint)
        marks = [mark for mark in found if isinstance(mark, Mark)]
    erasures = [mark for mark in marks if mark.erasure is not None]
    if len(erasures) != 1:
        raise TypeError(f"{kind.__name__}.{each.name} has to say what an erasure does with it: Keep, Erase or Digest")
    whole = Mark(
        erasures[0].erasure,
        erasures[0].served,
        all(mark.exported for mark in marks),
        next((mark.ledger for mark in marks if mark.ledger), ""),
    )
    optional, inner = _without_none(hint)
    omitted = each.default is not dataclasses.MISSING
    default = each.default if omitted else None if optional else _ZEROS.get(inner, _nothing(inner))
    part, many = _part(inner)
    json_type = _type_name(hint)
    return Field(each.name, json_type, whole, optional, omitted, default, part, many, fits(json_type))


def _nothing(hint: Any) -> Any:
    origin = typing.get_origin(hint)
    return types.MappingProxyType({}) if origin is Mapping else ()


def _without_none(hint: Any) -> tuple[bool, Any]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        inner = [each for each in typing.get_args(hint) if each is not type(None)]
        return len(inner) < len(typing.get_args(hint)), inner[0] if len(inner) == 1 else hint
    return False, hint


def _part(hint: Any) -> tuple[type[Part] | None, bool]:
    if isinstance(hint, type) and issubclass(hint, Part):
        return hint, False
    if typing.get_origin(hint) is Sequence:
        inner = typing.get_args(hint)[0]
        if isinstance(inner, type) and issubclass(inner, Part):
            return inner, True
    return None, False


def _type_name(hint: Any) -> str:
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return "null" if hint is type(None) else hint.__name__
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " | ".join(_type_name(each) for each in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Literal:
        return "str"
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Sequence:
        return f"list[{_type_name(inner[0])}]"
    if origin is Mapping:
        return f"dict[{', '.join(_type_name(each) for each in inner)}]"
    return "any"


@functools.lru_cache(256)
def fits(json_type: str) -> Fits:
    """The test for a type by its name, such as ``dict[str, float] | null``."""
    kinds = [_fits_one(each) for each in _split(json_type, " | ")]
    return kinds[0] if len(kinds) == 1 else lambda value: any(each(value) for each in kinds)


def _fits_one(name: str) -> Fits:
    if name in _PLAIN:
        return _PLAIN[name]
    if name.startswith("list["):
        inner = fits(name[len("list[") : -1])
        return lambda value: isinstance(value, list | tuple) and all(map(inner, value))
    if name.startswith("dict["):
        inner = fits(_split(name[len("dict[") : -1], ", ")[-1])
        return lambda value: isinstance(value, Mapping) and all(map(inner, value.values()))
    return lambda _: True


def _split(text: str, separator: str) -> list[str]:
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
