"""Fields of clients that are accepted or refused by rule instead of being honoured.

What changes the answer and cannot be honoured is refused by its name (``Refused``). What does not change the answer
(client metadata, cache and tier hints, beta flags) is accepted (``Hint``) and named in the response header ``HEADER``.
Every documented field of a protocol is a field of its body, so ``kind_of`` lists what happens to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mainspring.core.types import IGNORED_HEADER

HEADER = IGNORED_HEADER
REFUSED_FIELD = "refused_field"
QUERY_HINTS: Mapping[str, str] = {
    "beta": "Anthropic's clients name their beta interface",
    "api-version": "Azure's clients name the date of their interface",
}
"""Query parameters that any route accepts and does not read, each with its reason."""
_LISTED = 16
# A name that a header may hold and a reader tell from its neighbours.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

FieldKind = Literal["honoured", "hint", "refused"]


@dataclass(frozen=True, slots=True)
class Hint:
    """Marks a field that changes no answer here: any value is accepted and not read. ``reason`` says why."""

    reason: str

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"description": f"Accepted, not read: {self.reason}"}


@dataclass(frozen=True, slots=True)
class Refused:
    """Marks a field that would change the answer and cannot be honoured here.

    Absent, null and the values in ``unless`` (those that ask for what happens anyway) are accepted. Any other value is
    a ``REFUSED_FIELD`` error, which becomes ``Unsupported`` with ``reason`` and ``remedy``.
    """

    reason: str
    remedy: str = "Leave it out"
    unless: tuple[Any, ...] = ()

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"description": f"Refused: {self.reason}"}

    def _check(self, value: Any) -> Any:
        # True equals 1 in Python, and is another value in JSON.
        if value is None or any(value == each and type(value) is type(each) for each in self.unless):
            return None
        raise PydanticCustomError(REFUSED_FIELD, "{reason}", {"reason": self.reason, "remedy": self.remedy})


@dataclass(frozen=True, slots=True)
class Types:
    """Marks the field that names a value's type, by the types that are read here. The code that reads the value refuses
    any other by its name."""

    read: tuple[str, ...]


def kind_of(field: FieldInfo) -> tuple[FieldKind, str]:
    """What happens to a field of a body, and why."""
    for mark in field.metadata:
        if isinstance(mark, Hint):
            return "hint", mark.reason
        if isinstance(mark, Refused):
            return "refused", mark.reason
    return "honoured", ""


def ignored(body: type[BaseModel], sent: Any) -> list[str]:
    """The dotted names of the hints in ``sent``, the JSON of a ``body``: each once, without indices, 16 at most.

    Where a body takes fields that it does not know, they are among them.
    """
    names: dict[str, None] = {}
    _note(body, sent, "", names)
    return list(names)[:_LISTED]


def _note(body: type[BaseModel], sent: Any, place: str, names: dict[str, None]) -> None:
    fields = _fields(body)
    for each in sent if isinstance(sent, list) else (sent,):
        # Nearly all of what is sent is read: one look at the names, however long the list they are in.
        if not isinstance(each, dict) or fields.read.issuperset(each):
            continue
        for name, value in each.items():
            if name in fields.read or value is None or (isinstance(value, str) and name in fields.below):
                continue
            if name in fields.hints or (name not in fields.below and fields.open):
                names[place + (name if _NAME.fullmatch(name) else "*")] = None
            elif isinstance(value, dict | list):
                for inner in fields.below.get(name, ()):
                    _note(inner, value, f"{place}{name}.", names)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of a body: those that are ``read`` with all that is in them, ``hints``, and those whose bodies have
    hints at some depth. ``open``: it takes others as well."""

    read: frozenset[str]
    hints: frozenset[str]
    below: Mapping[str, tuple[type[BaseModel], ...]]
    open: bool


@cache
def _fields(body: type[BaseModel]) -> _Fields:
    fields = [(info.alias or name, info) for name, info in body.model_fields.items()]
    hints = frozenset(name for name, info in fields if kind_of(info)[0] == "hint")
    below = {name: tuple(each for each in bodies_in(info.annotation) if _has_hints(each, ())) for name, info in fields}
    below = {name: bodies for name, bodies in below.items() if bodies and name not in hints}
    return _Fields(frozenset(name for name, _ in fields) - hints - below.keys(), hints, below, _is_open(body))


def _has_hints(body: type[BaseModel], above: tuple[type[BaseModel], ...]) -> bool:
    if body in above:
        return False
    return _is_open(body) or any(
        kind_of(info)[0] == "hint" or any(_has_hints(each, (*above, body)) for each in bodies_in(info.annotation))
        for info in body.model_fields.values()
    )


def _is_open(body: type[BaseModel]) -> bool:
    return body.model_config.get("extra") == "ignore"


def bodies_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The bodies that a field's annotation is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from bodies_in(argument)
