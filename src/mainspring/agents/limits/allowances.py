"""The caller's allowance as one call of a tool sees it: what that call's models use is counted apart."""

from __future__ import annotations

import dataclasses
from typing import Any

from mainspring.core.types import Allowance, Context, Usage


class CallAllowance(Allowance):
    """The limits and the spending of ``whole``, which all calls of a request share. ``own`` is what was spent by this
    call, also while others run beside it."""

    __slots__ = ("_whole", "own")

    def __init__(self, whole: Allowance) -> None:
        self._whole = whole
        self.own = Usage()

    def spend(self, usage: Usage) -> None:
        self.own = self.own + usage
        self._whole.spend(usage)

    def hold(self, tokens: int, money: int) -> None:
        self._whole.hold(tokens, money)


def _shared(name: str) -> Any:
    return property(lambda self: getattr(self._whole, name), lambda self, value: setattr(self._whole, name, value))


for _each in dataclasses.fields(Allowance):
    setattr(CallAllowance, _each.name, _shared(_each.name))


def counted(context: Context) -> tuple[Context, CallAllowance]:
    """``context`` for one call of a tool, and what that call spends."""
    allowance = CallAllowance(context.allowance)
    return context.spending(allowance), allowance
