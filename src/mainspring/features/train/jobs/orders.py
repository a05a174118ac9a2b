"""What is asked of a job, as JSON, and names of what it makes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.stores.sql import rows
from mainspring.training.ports import Order

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_OTHER = re.compile(r"[^a-z0-9._-]+")
_LABEL = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]{0,63})(?:@(?P<number>[1-9]\d{0,8}))?")
MOST_SEED = 2**31


def plain(order: Order) -> dict[str, Any]:
    """As JSON, without the folder, whose rows are taken over."""
    told = dataclasses.asdict(dataclasses.replace(order, folder=None, options={}))
    for name in ("serve", "candidate"):
        if not told[name]:
            # Orders of earlier versions had no such field, and are found again by their digest.
            del told[name]
    return {**told, "options": dict(order.options)}


def digest(order: Order) -> str:
    """That of the order with its trace; empty without a trace: then each order is a run of its own."""
    if not order.trace_id:
        return ""
    return rows.digest(rows.dump({**plain(order), "folder": str(order.folder or "")}))


def check(order: Order) -> None:
    """Raises ``InvalidRequest`` naming the field."""
    if order.suffix and not NAME.fullmatch(order.suffix):
        raise InvalidRequest(
            "a name must have 1 to 64 lower-case letters, digits, dots, hyphens and underscores",
            remedy="For example support-v2",
            param="suffix",
        )
    if bool(order.export) == (order.folder is not None):
        raise InvalidRequest("name either an export or a folder as the data", param="export")
    if not 0 <= order.seed < MOST_SEED:
        raise InvalidRequest("a seed must be a number from 0 to 2147483647", param="seed")
    for name, value in (("seconds", order.seconds), ("usd", order.usd)):
        if value is not None and not 0 < value < 1e9:
            raise InvalidRequest(f"{name} must be more than 0", param=name)


def name_of(order: Order) -> str:
    """The name of the versions that the order makes."""
    if order.suffix:
        return order.suffix
    base = order.base.partition("@")[0]
    made = _OTHER.sub("-", f"{base}-{order.recipe}" if base else order.recipe).strip("-.")
    return made[-64:].lstrip("-._")


def label_of(text: str) -> tuple[str, int | None]:
    """``NAME@NUMBER`` as both; None: the newest. Raises ``InvalidRequest``."""
    found = _LABEL.fullmatch(text)
    if found is None:
        raise InvalidRequest(f"{text[:100]!r} names no version", remedy="Write NAME or NAME@NUMBER", param="version")
    return found["name"], int(found["number"]) if found["number"] else None


def usable(label: str) -> bool:
    """Whether it has the form of a version's name with its number."""
    found = _LABEL.fullmatch(label)
    return found is not None and found["number"] is not None


def of(told: Mapping[str, Any]) -> Order:
    """What ``plain`` made."""
    return Order(**told)
