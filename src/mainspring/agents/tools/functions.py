"""Tools from typed Python functions: the schema comes from the signature, its words from the docstring."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
from mainspring.core.errors import SettingsError
from mainspring.core.types import Tool

# A line of a docstring's "Args:" section: ``name: what it is`` or ``name (type): what it is``.
_ARGUMENT = re.compile(r"^[ \t]+(\w+)(?: *\([^)]*\))?:[ \t]*(.+)$", re.MULTILINE)

DEFAULT = ToolPolicy()


class FunctionTool:
    """A function, async or not, as a tool.

    Its parameters need annotations. A parameter of the type ``ToolContext`` gets the context of the call and is no
    argument. It returns a JSON value, a pydantic model, a dataclass or a ``ToolResult``. One that is not async runs
    in a thread. Raises ``SettingsError`` for a function that cannot be described.
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
        self.policy = policy
        self.examples = examples
        name = name or function.__name__
        doc = inspect.getdoc(function) or ""
        self._model, self._context = _model(function, name, doc)
        self._names, self._async = tuple(self._model.model_fields), inspect.iscoroutinefunction(function)
        self.declaration = Tool(name, description or _summary(doc), _schema(self._model))
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


def _model(function: Callable[..., Any], name: str, doc: str) -> tuple[type[BaseModel], str]:
    """The model of the arguments, and the name of the parameter for the context (empty: there is none)."""
    hints = get_type_hints(function, include_extras=True)
    words = dict(_ARGUMENT.findall(doc))
    fields: dict[str, Any] = {}
    context = ""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise SettingsError(f"the tool {name} takes *{parameter.name}", remedy="Give it named parameters only")
        if parameter.name not in hints:
            raise SettingsError(f"the parameter {parameter.name} of the tool {name} has no type")
        if hints[parameter.name] is ToolContext:
            context = parameter.name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        described = Field(default, description=words[parameter.name]) if parameter.name in words else default
        fields[parameter.name] = (hints[parameter.name], described)
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields), context


def _summary(doc: str) -> str:
    return doc.split("\nArgs:", 1)[0].strip()


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema.pop("title", None)
    for each in schema.get("properties", {}).values():
        each.pop("title", None)
    return schema


def _faults(error: ValidationError) -> str:
    found = [f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in error.errors()[:5]]
    return "The arguments do not fit: " + "; ".join(found)
