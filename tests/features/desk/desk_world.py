"""A desk over the real stores, without a server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from mainspring.agents.handover import NewCase
from mainspring.agents.tools.base import ToolContext
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.feature import Rooms
from mainspring.features.desk.service import SupportDesk
from mainspring.stores import Stores
from mainspring.stores.schema import keys
from mainspring.stores.sql import rows
from mainspring.system import LOCAL

SHOP = Principal("acme", "key_shop", frozenset({"chat"}))
ADA = Principal("acme", "key_ada", frozenset({"desk"}))
BEN = Principal("acme", "key_ben", frozenset({"desk"}))
STRANGER = Principal("other", "key_ada", frozenset({"desk"}))


def made(opened: Stores, around: Any = None, **desk: Any) -> SupportDesk:
    """The service, with these settings. ``around`` has further rooms."""
    metrics = SimpleNamespace(registry=CollectorRegistry())
    channels = desk.pop("channels", {})
    rooms = SimpleNamespace(
        settings=Settings.model_validate({"channels": channels, "desk": {"assist": False, **desk}}),
        stores=opened,
        local=LOCAL,
        telemetry=SimpleNamespace(metrics=metrics),
    )
    for name in ("path", "library", "responder") if around is not None else ():
        setattr(rooms, name, getattr(around, name))
    return SupportDesk(cast(Rooms, rooms))


def tool(key: str, session: str | None = "talk", who: Principal = SHOP, user: str = "") -> ToolContext:
    """The context of a tool that opens a case."""
    return ToolContext(Context(who), "run_1", "call_1", key, "support", {}, session, user=user)


def case(subject: str = "Refund of order C-1042", **more: Any) -> NewCase:
    """An escalation."""
    given: dict[str, Any] = {"kind": "escalation", "reason": "above the limit", "topic": "refund", **more}
    return NewCase(subject=subject, **given)


async def keyed(opened: Stores, *holders: Principal, **values: Any) -> None:
    """Have keys with the ids and groups of these principals, and ``values`` in their rows."""
    given = [
        {
            "tenant": each.tenant,
            "id": each.key_id,
            "name": each.key_id,
            "digest": each.tenant + each.key_id,
            "hint": "",
            "scopes": rows.names(each.scopes),
            "groups": rows.names(each.groups),
            "created_at": 1.0,
            **values,
        }
        for each in holders
    ]
    await opened.database.write(lambda connection: connection.execute(sa.insert(keys), given) and None)
