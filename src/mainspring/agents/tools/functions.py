"""Tools from typed Python functions: the schema comes from the signature, its words from the docstring."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from mainspring.agents.tools import docstrings
from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
from mainspring.core.errors import SettingsError
from mainspring.core.types import Tool

DEFAULT = ToolPolicy()


class FunctionTool:
    """A function, async or not, as a tool.

    Its parameters need annotations: enumerations, nested models and ``Annotated`` with a ``Field`` are part of the
    schema. A parameter of the type ``ToolContext`` gets the context of the call and is no argument. It returns a JSON
    value, a pydantic model, a dataclass or a ``ToolResult``; the type is the ``result`` of its policy, unless that has
    one. One that is not async runs in a thread. Raises ``SettingsError`` for a function that cannot be described.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str = "",
        description: str = "",
        policy: ToolPolicy = DEFAULT,
        examples: tuple[str, ...] = (),
    ) -> None:
        self.function = function
        self.examples = examples
        name = name or function.__name__
        said, words = docstrings.read(inspect.getdoc(function) or "")
        hints = _hints(function, name)
        self._model, self._context = _model(function, name, hints, words)
        self._names, self._async = tuple(self._model.model_fields), inspect.iscoroutinefunction(function)
        self.declaration = Tool(name, description or said, _schema(self._model))
        result = policy.result if policy.result is not None else _result(hints.get("return", Any))
        self.policy = dataclasses.replace(policy, result=result)
        self._result: TypeAdapter[Any] = TypeAdapter(Any)

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        try:
            checked = self._model.model_validate(arguments)
        except ValidationError as error:
            return ToolResult(error=_faults(error))
        values: dict[str, Any] = {name: getattr(checked, name) for name in self._names}
        if self._context:
            values[self._context] = context
        if self._async:
            found = await self.function(**values)
        else:
            found = await asyncio.to_thread(self.function, **values)
        return found if isinstance(found, ToolResult) else ToolResult(self._result.dump_python(found, mode="json"))


def tool(
    *,
    policy: ToolPolicy = DEFAULT,
    examples: tuple[str, ...] = (),
    name: str = "",
) -> Callable[[Callable[..., Any]], FunctionTool]:
    """Make the decorated function a tool with this policy."""
    return lambda function: FunctionTool(function, name=name, policy=policy, examples=examples)


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:
        raise SettingsError(f"the types of the tool {name} cannot be read: {error}") from error


def _model(
    function: Callable[..., Any], name: str, hints: Mapping[str, Any], words: Mapping[str, str]
) -> tuple[type[BaseModel], str]:
    """The model of the arguments, and the name of the parameter for the context (empty: there is none)."""
    fields: dict[str, Any] = {}
    context = ""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise SettingsError(f"the tool {name} takes *{parameter.name}", remedy="Give it named parameters only")
        if parameter.name not in hints:
            raise SettingsError(f"the parameter {parameter.name} of the tool {name} has no type")
        kind = _understood(hints[parameter.name])
        if kind is ToolContext:
            context = parameter.name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        told = words.get(parameter.name, "")
        described = any(isinstance(each, FieldInfo) and each.description for each in getattr(kind, "__metadata__", ()))
        fields[parameter.name] = (kind, Field(default, description=told) if told and not described else default)
    try:
        return create_model(name, __config__=ConfigDict(extra="forbid"), **fields), context
    except (PydanticSchemaGenerationError, NameError, TypeError) as error:
        raise SettingsError(f"the arguments of the tool {name} have no JSON schema: {error}") from error


def _result(kind: Any) -> dict[str, Any] | None:
    """The JSON schema of what a function returns; None: its type says nothing."""
    if kind in (Any, None, type(None), ToolResult) or ToolResult in get_args(kind):
        return None
    try:
        return TypeAdapter(_understood(kind)).json_schema(mode="serialization")
    except Exception:
        # A result of any other class is written as it comes.
        return None


def _understood(kind: Any) -> Any:
    """``kind`` with other dictionaries in place of the ``TypedDict`` that pydantic refuses before Python 3.12."""
    if sys.version_info >= (3, 12):
        return kind
    if typing.is_typeddict(kind) and kind.__module__ != "typing_extensions":
        found = get_type_hints(kind, include_extras=True)
        optional = kind.__optional_keys__
        fields = {
            name: typing_extensions.NotRequired[_understood(each)] if name in optional else _understood(each)
            for name, each in found.items()
        }
        return typing_extensions.TypedDict(kind.__name__, fields)  # type: ignore[operator]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (list, tuple, dict, set, Union, types.UnionType) and inner:
        known = tuple(_understood(each) for each in inner)
        return Union[known] if origin in (Union, types.UnionType) else origin[known]  # noqa: UP007
    return kind


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema.pop("title", None)
    for each in schema.get("properties", {}).values():
        each.pop("title", None)
    return schema


def _faults(error: ValidationError) -> str:
    found = [f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in error.errors()[:5]]
    return "The arguments do not fit: " + "; ".join(found)
