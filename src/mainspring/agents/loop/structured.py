"""Answers of agents that are JSON under a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema
from pydantic import BaseModel

from mainspring.core.errors import UnfitAnswer
from mainspring.core.types import Grammar
from mainspring.engines.grammar import validation

ATTEMPTS = 2
ASK = "Write your answer as JSON that fits the schema of your answers, and nothing else."
AGAIN = "Your answer does not fit the schema of your answers: {fault}. Write it again, as JSON and nothing else."


def grammar(schema: Mapping[str, Any] | type[BaseModel] | None) -> Grammar | None:
    """The constraint of ``schema``; None without one."""
    if schema is None:
        return None
    found = schema if isinstance(schema, Mapping) else schema.model_json_schema()
    return Grammar("json_schema", dumps(dict(found)))


@lru_cache(maxsize=128)
def _checker(source: str) -> Any:
    return validation.validator(source, param="output_schema")


def fault(wanted: Grammar, text: str) -> str | None:
    """What is wrong with ``text``; None: nothing."""
    if wanted.kind != "json_schema":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return "it is not JSON"
    found: jsonschema.ValidationError | None = _checker(wanted.source)(value)
    if found is None:
        return None
    place = ".".join(map(str, found.absolute_path))
    return f"{place}: {found.message}" if place else str(found.message)


def unfit(agent: str, problem: str) -> UnfitAnswer:
    return UnfitAnswer(f"the answer of the agent {agent} does not fit its output_schema: {problem}")


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def loads(text: str) -> Any:
    """The value of an answer; the text itself if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text
