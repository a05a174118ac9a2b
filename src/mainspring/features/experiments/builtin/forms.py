"""Scorers of the form of an answer: a pattern, a JSON schema, time and cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Score, Scorer
from mainspring.feature import Rooms
from mainspring.features.experiments.builtin.options import Options, number, only, text

_SLOW = frozenset(("pattern", "patternProperties", "$ref", "$dynamicRef"))


@dataclass(frozen=True, slots=True)
class Pattern:
    """1 if the answer has a part that fits a regular expression of RE2, which takes linear time."""

    pattern: str
    ignore_case: bool
    name: str = "regex"

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:  # noqa: ARG002
        found = pc.match_substring_regex(pa.array([answered.text]), self.pattern, ignore_case=self.ignore_case)
        return Score(float(bool(found[0].as_py())))


@dataclass(frozen=True, slots=True)
class FitsSchema:
    """1 if the answer is JSON that fits a schema: the option, else the example's ``extra["schema"]``."""

    schema: Mapping[str, Any] | None
    name: str = "json-schema"

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:  # noqa: ARG002
        schema = self.schema if self.schema is not None else example.extra.get("schema")
        if not isinstance(schema, Mapping):
            return None
        checker = _checker(schema)
        said = answered.text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
        try:
            value = json.loads(said)
        except (ValueError, RecursionError) as error:
            return Score(0.0, f"not JSON: {error}"[:200])
        wrong = await asyncio.to_thread(lambda: next(iter(checker.iter_errors(value)), None))
        return Score(1.0) if wrong is None else Score(0.0, str(wrong.message)[:200])


@dataclass(frozen=True, slots=True)
class Within:
    """1 for an answer within a bound, and the share of the bound beyond it: half for one that takes twice as much."""

    name: str
    bound: float

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:  # noqa: ARG002
        spent = answered.duration_s if self.name == "latency" else answered.cost_nanousd / 1e9
        if spent is None:
            return None
        return Score(1.0 if spent <= self.bound else self.bound / spent, details={self.name: spent})


def _checker(schema: Mapping[str, Any]) -> Any:
    """Raises ``InvalidRequest`` for a schema that is none, or that may take for ever."""
    if slow := _keywords(schema) & _SLOW:
        raise InvalidRequest(f"a schema of the scorer json-schema has no {min(slow)}", param="options")
    try:
        jsonschema.Draft202012Validator.check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        raise InvalidRequest(f"the schema is wrong: {error.message:.200}", param="options") from None
    return jsonschema.Draft202012Validator(dict(schema))


def _keywords(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set(map(str, value)).union(*map(_keywords, value.values()))
    if isinstance(value, list):
        return set().union(*map(_keywords, value))
    return set()


def make_pattern(_: Rooms, options: Options) -> Scorer:
    only("regex", options, "pattern", "ignore_case")
    pattern = text("regex", options, "pattern")
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise InvalidRequest(f"the pattern is none of RE2: {error}"[:300], param="options") from None
    return Pattern(pattern, str(options.get("ignore_case", "")).lower() in ("true", "1", "yes"))


def make_schema(_: Rooms, options: Options) -> Scorer:
    only("json-schema", options, "schema")
    schema = options.get("schema")
    if schema is not None:
        if not isinstance(schema, Mapping):
            raise InvalidRequest("the option schema is a JSON schema", param="options")
        _checker(schema)
    return FitsSchema(schema)


def make_latency(_: Rooms, options: Options) -> Scorer:
    only("latency", options, "seconds")
    return Within("latency", number("latency", options, "seconds", 5.0))


def make_cost(_: Rooms, options: Options) -> Scorer:
    only("cost", options, "usd")
    return Within("cost", number("cost", options, "usd", 0.001))
