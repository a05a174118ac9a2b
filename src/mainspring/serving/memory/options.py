"""The memory options of one request: the settings, overridden by ``options.session``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from mainspring.core.errors import InvalidRequest
from mainspring.core.nearest import nearest
from mainspring.core.settings import SessionsSettings
from mainspring.core.types import ChatRequest
from mainspring.serving.memory.base import StrategyName
from mainspring.serving.memory.strategies import STRATEGIES

OPTION = "session"
_LEAST = 64


@dataclasses.dataclass(frozen=True, slots=True)
class MemoryOptions:
    """The strategy and bounds of one request, as ``SessionsSettings`` has them."""

    strategy: StrategyName
    max_tokens: int
    first_turns: int
    token_budget: int
    trim: bool


def split_session_option(request: ChatRequest, settings: SessionsSettings) -> tuple[ChatRequest, MemoryOptions]:
    """The request without ``options.session``, which applications need not know, and the option's value.

    Raises ``InvalidRequest`` naming the option at fault.
    """
    chosen = MemoryOptions(
        settings.strategy,
        settings.max_tokens,
        settings.first_turns,
        settings.token_budget,
        settings.when_spent == "trim",
    )
    if OPTION not in request.options:
        return request, chosen
    if request.session_id is None:
        raise InvalidRequest("options.session needs a session_id", param="options.session")
    given = request.options[OPTION]
    if not isinstance(given, Mapping):
        raise InvalidRequest("options.session must be an object", param="options.session")
    fields: dict[str, Any] = {}
    for name, value in given.items():
        if name == "strategy":
            fields[name] = _strategy(value)
        elif name == "max_tokens":
            fields[name] = _number(name, value, _LEAST, settings.max_tokens)
        elif name == "first_turns":
            fields[name] = _number(name, value, 1, 32)
        elif name == "token_budget":
            # Only lower: the setting is the operator's word.
            fields[name] = _number(name, value, 1, settings.token_budget or 2**53)
        else:
            known = ("strategy", "max_tokens", "first_turns", "token_budget")
            close = nearest(str(name), known)
            remedy = f"Did you mean {close}?" if close else f"It takes {', '.join(known)}"
            raise InvalidRequest(f"options.session has no {name!r}", remedy=remedy, param=f"options.session.{name}")
    options = {name: value for name, value in request.options.items() if name != OPTION}
    return dataclasses.replace(request, options=options), dataclasses.replace(chosen, **fields)


def _strategy(value: object) -> StrategyName:
    if value not in STRATEGIES:
        raise InvalidRequest(f"strategy must be one of {', '.join(STRATEGIES)}", param="options.session.strategy")
    return cast(StrategyName, value)


def _number(name: str, value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidRequest(
            f"options.session.{name} must be a whole number from {least} to {most}", param=f"options.session.{name}"
        )
    return value
