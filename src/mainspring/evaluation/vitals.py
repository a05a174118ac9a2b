"""Numbers of a feature that somebody should know of when they are wrong: the monitor makes alerts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Vital:
    """A number of a tenant against its limit: ``wrong`` raises an alert, ``right`` (which is more than not wrong)
    clears it. ``before`` is what it usually is (None: it is compared with a limit alone), ``samples`` how many are
    behind it. ``unit``: ``s``, ``share`` or empty for a plain number."""

    tenant: str
    name: str
    value: float
    limit: float
    unit: str
    samples: int
    wrong: bool
    right: bool
    before: float | None = None


@runtime_checkable
class Vitals(Protocol):
    """Has such numbers."""

    async def vitals(self, now: float) -> Sequence[Vital]:
        """Those of all tenants at a time, in Unix seconds. Raises ``StoreError``."""
        ...
