"""Digests of definitions: two agents with the same one behave alike."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mainspring.agents.loop.agent_tool import AgentTool
from mainspring.agents.tools.base import BaseTool, Toolset


def digest(agent: Any) -> str:
    """Of the whole definition, with the code of its functions, in 16 hexadecimal digits."""
    return hashlib.sha256(orjson.dumps(_plain(agent), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, type):
        return value.__qualname__
    if isinstance(value, AgentTool):
        return ["agent", _plain(value.agent), list(value.state)]
    if isinstance(value, BaseTool):
        function = getattr(value, "function", None)
        return ["tool", _plain(value.declaration), _plain(value.policy), _code(function) if function else ""]
    if isinstance(value, Toolset):
        return ["toolset", value.name, _plain(getattr(value, "fixed", ()))]
    if callable(value):
        return _code(value)
    if dataclasses.is_dataclass(value):
        fields = {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
        return [type(value).__name__, fields]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return repr(type(value))


def _code(function: Any) -> str:
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = code.co_code.hex() if code is not None else ""
    return f"{getattr(function, '__qualname__', type(function).__name__)}\0{text}"
