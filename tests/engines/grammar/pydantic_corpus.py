"""Schemas that Pydantic makes of its types, and OpenAI's package of models for strict output."""

from __future__ import annotations

import dataclasses
import importlib.util
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from re import Pattern
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pydantic
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from typing_extensions import TypedDict


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: int


class Movie(TypedDict, total=False):
    name: str
    year: int


@dataclasses.dataclass
class Pair:
    left: int
    right: str = "x"


class Person(BaseModel):
    name: str
    age: int | None = None


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    breed: str


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Described(BaseModel):
    """A described thing."""

    a: int = Field(default=3, title="A", description="the a", examples=[1], deprecated=True, alias="theA")


TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "None": None,
    "Any": Any,
    "bytes": bytes,
    "Decimal": Decimal,
    "date": date,
    "datetime": datetime,
    "time": time,
    "timedelta": timedelta,
    "UUID": UUID,
    "Path": Path,
    "Pattern": Pattern,
    "Enum": Colour,
    "IntEnum": Level,
    "Literal": Literal["a", 1, None],
    "Optional": int | None,
    "Union": int | str | list[float],
    "list": list[int],
    "tuple": tuple[int, str],
    "tuple of any length": tuple[int, ...],
    "set": set[int],
    "set of Enum": set[Colour],
    "frozenset": frozenset[str],
    "dict": dict[str, int],
    "dict of Enum": dict[Colour, int],
    "dict of int": dict[int, str],
    "dict of UUID": dict[UUID, str],
    "NamedTuple": Point,
    "TypedDict": Movie,
    "dataclass": Pair,
    "BaseModel": Person,
    "BaseModel recursive": Tree,
    "BaseModel extra forbid": Closed,
    "BaseModel extra allow": Open,
    "BaseModel described": Described,
    "discriminated union": Annotated[Cat | Dog, Field(discriminator="kind")],
    "list of BaseModel": list[Person],
    "AnyUrl": pydantic.AnyUrl,
    "HttpUrl": pydantic.HttpUrl,
    "IPv4Address": IPv4Address,
    "IPv6Address": IPv6Address,
    "IPv4Network": IPv4Network,
    "SecretStr": pydantic.SecretStr,
    "Base64Str": pydantic.Base64Str,
    "Json": pydantic.Json[int],
    "UUID4": pydantic.UUID4,
    "PastDate": pydantic.PastDate,
    "AwareDatetime": pydantic.AwareDatetime,
    "PositiveInt": pydantic.PositiveInt,
    "NonNegativeFloat": pydantic.NonNegativeFloat,
    "FiniteFloat": pydantic.FiniteFloat,
    "StrictStr": pydantic.StrictStr,
    "ByteSize": pydantic.ByteSize,
    "Field ge le": Annotated[int, Field(ge=1, le=10)],
    "Field gt lt": Annotated[float, Field(gt=0, lt=1)],
    "Field multiple_of": Annotated[int, Field(multiple_of=3)],
    "Field decimal_places": Annotated[Decimal, Field(max_digits=6, decimal_places=2)],
    "Field pattern": Annotated[str, Field(pattern=r"^[A-Z]{2}\d{3}$")],
    "Field min_length max_length": Annotated[str, Field(min_length=2, max_length=20)],
    "Field max_length long": Annotated[str, Field(max_length=2000)],
    "Field list lengths": Annotated[list[int], Field(min_length=1, max_length=3)],
}
if importlib.util.find_spec("email_validator"):
    TYPES |= {"EmailStr": pydantic.EmailStr, "NameEmail": pydantic.NameEmail}


def schemas() -> dict[str, Any]:
    return {name: TypeAdapter(kind).json_schema() for name, kind in TYPES.items()}


def strict_schemas() -> dict[str, Any]:
    """What ``openai`` sends for models with a field of each type."""
    found = {}
    for name, kind in TYPES.items():
        found[name] = to_strict_json_schema(create_model("Answer", value=(kind, ...)))
    return found
