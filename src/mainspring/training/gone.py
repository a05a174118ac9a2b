"""Says of a version that answers no more why it does not."""

from __future__ import annotations

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Principal
from mainspring.training.ports import Versions


async def gone(versions: Versions | None, principal: Principal, label: str) -> str:
    """``NAME@NUMBER was withdrawn`` with the reason; empty for one that was not, or that the principal does not see."""
    if versions is None or "@" not in label:
        return ""
    try:
        found = await versions.version(principal.tenant, label)
    except (NotFound, InvalidRequest):
        return ""
    if not found.withdrawn or not found.groups <= principal.groups:
        return ""
    return f"{found.label} was withdrawn: {found.stale}" if found.stale else f"{found.label} was withdrawn"
