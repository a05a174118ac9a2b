"""Base classes of request bodies, and bounded lists and tables.

Every list and table of a body has a bound, which is checked before the contents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mainspring.core.errors import InvalidRequest
from mainspring.core.nearest import nearest, shown
from mainspring.http.fields import Hint, Types

Name = Annotated[str, Field(min_length=1, max_length=256)]
ServiceTier = Literal["auto", "default"]
UNKNOWN_FIELD = "unknown_field"
MAX_FIELDS = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AtMost:
    """For a table: refuses it by size before reading its contents. A validator checks its own bound later, and reports
    every error."""

    entries: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def _check(self, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > self.entries:
            raise PydanticCustomError("too_long", "it may have {most} entries at most", {"most": self.entries})
        return value


# Only the first error of a list is reported: a validator keeps a thousand bytes for each.
Few = Annotated[list[T], Field(max_length=64, fail_fast=True)]
Many = Annotated[list[T], Field(max_length=10_000, fail_fast=True)]
Texts = Annotated[list[str], Field(max_length=100_000, fail_fast=True)]
Table = Annotated[dict[str, T], Field(max_length=64), AtMost(64)]
"""A name given by a caller; names within a schema or arguments are ``Free``."""
Free = Annotated[dict[str, Any], Field(max_length=1_000), AtMost(1_000)]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16), AtMost(16)
]


Tokens = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1, max_length=100_000, fail_fast=True)]
"""A text as numbers of a model's vocabulary."""


class Body(BaseModel):
    """Base of request bodies. An unknown field is an ``UNKNOWN_FIELD`` error with ``name`` and ``nearest``.

    An explicit null equals absence, except for a required field and for one whose own values include null. Fields
    marked ``Hint`` and ``Refused`` (see ``http.fields``) are accepted or refused by rule.
    """

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _knows_all(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        known = _takes_null(cls)
        absent = []
        for name, value in values.items():
            takes = known.get(name)
            if value is None and not takes:
                absent.append(name)
            elif takes is None:
                told = {"name": shown(str(name)), "nearest": nearest(str(name), list(known))}
                raise PydanticCustomError(UNKNOWN_FIELD, "unknown field", told)
        return {name: value for name, value in values.items() if name not in absent} if absent else values


@cache
def _takes_null(body: type[BaseModel]) -> Mapping[str, bool]:
    """The fields of a body by the names that clients use: whether a null is a value of theirs, or an error to name."""
    return {
        info.alias or name: info.is_required() or NoneType in get_args(info.annotation)
        for name, info in body.model_fields.items()
    }


class Closed(BaseModel):
    """Base of what stands within a table of a body, or comes beside one: unknown fields are refused, and more than
    ``MAX_FIELDS`` before any is looked at, because a validator keeps an error for each."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few(cls, values: Any) -> Any:
        if isinstance(values, dict) and len(values) > MAX_FIELDS:
            raise PydanticCustomError("too_long", "it may have {most} fields at most", {"most": MAX_FIELDS})
        return values


class ContentPart(BaseModel):
    """One part of a message's content: text, or a picture in a message of a user."""

    model_config = ConfigDict(extra="ignore")
    type: Annotated[str, Types(("text", "input_text", "output_text", "refusal", "image_url", "input_image"))]
    text: str | None = None
    # An object with ``url`` and ``detail`` in chats, text beside ``detail`` in responses.
    image_url: Any = None
    detail: str | None = None
    file_id: str | None = None
    refusal: str | None = None
    annotations: Annotated[Any, Hint("it is part of an answer that is sent back")] = None
    logprobs: Annotated[Any, Hint("it is part of an answer that is sent back")] = None
    cache_control: Annotated[Any, Hint("prompt prefixes are always cached")] = None
    prompt_cache_breakpoint: Annotated[Any, Hint("prompt prefixes are always cached")] = None


def bounded(value: Mapping[str, Any], param: str) -> Mapping[str, Any]:
    json_text(value, param, InvalidRequest)
    return value


def json_text(value: Mapping[str, Any], param: str, error: type[InvalidRequest]) -> str:
    # Data too deep for the encoder would later exhaust the stack of any code that walks it.
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        raise error(f"{param} is nested too deeply or holds a number beyond 64 bits", param=param) from None
