"""The lineage of keys: what ends with a key, and whose budgets count the spending of its descendants. For use in a
transaction.

``parent`` is the key (or the token's subject) that made a key, empty if it was made at the machine; it changes when
that key is replaced. ``lineage`` names every key whose budgets count this key's spending: its ancestors and the keys
that it replaced. It only grows, so that neither a new key nor a replaced one escapes a budget.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, Forbidden
from mainspring.stores.schema import keys

KEY = "key_"
AT_ONCE = 500
MOST = 256
"""The maximum number of keys that one may descend from or replace."""


def extended(above: Sequence[str], key_id: str) -> tuple[str, ...]:
    """The lineage of what ``key_id``, itself of the lineage ``above``, makes. Raises ``Conflict``."""
    if len(above) >= MOST:
        raise Conflict(
            f"this key descends from {MOST} others",
            remedy="Create a new one on the server's machine: `mainspring keys create`",
        )
    return (*above, key_id)


def check_parent(connection: sa.Connection, tenant: str, parent: str, expires_at: float | None) -> None:
    """Raises ``Forbidden`` if the key ``parent`` has ended in the meantime, or ends before the key that it creates."""
    if not parent.startswith(KEY):
        return
    query = sa.select(keys.c.expires_at, keys.c.revoked_at).where(keys.c.tenant == tenant, keys.c.id == parent)
    # A concurrent revocation either finds the new key or prevents its creation.
    found = connection.execute(query.with_for_update()).one_or_none()
    if found is None or found.revoked_at is not None or (found.expires_at or time.time() + 1) <= time.time():
        raise Forbidden("the creating key has expired or was revoked", remedy="Use another")
    if found.expires_at is not None and (expires_at is None or expires_at > found.expires_at):
        raise Forbidden(
            "a key cannot outlive the key that created it",
            remedy="Give it fewer `days`, or none: it then expires with that key",
        )


def below(connection: sa.Connection, tenant: str, key_id: str) -> list[str]:
    """The ids of all descendants of ``key_id``, expired ones included."""
    reached: dict[str, None] = {}
    waiting = [key_id]
    while waiting:
        part, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        query = sa.select(keys.c.id).where(keys.c.tenant == tenant, keys.c.parent.in_(part))
        made = [each for each in connection.execute(query).scalars() if each not in reached]
        reached |= dict.fromkeys(made)
        waiting += made
    return list(reached)


def usable(connection: sa.Connection, tenant: str, ids: Iterable[str]) -> list[tuple[str, str]]:
    """(id, name) of those of the keys that can still be used."""
    now = time.time()
    query = sa.select(keys.c.id, keys.c.name).where(
        keys.c.tenant == tenant,
        keys.c.id.in_(list(ids)),
        keys.c.revoked_at.is_(None),
        sa.or_(keys.c.expires_at.is_(None), keys.c.expires_at > now),
    )
    return [(row.id, row.name) for row in connection.execute(query.order_by(keys.c.id))]


def move(connection: sa.Connection, tenant: str, old: str, new: str) -> None:
    """Keys created by ``old`` count as created by ``new`` from now on."""
    mine = sa.and_(keys.c.tenant == tenant, keys.c.parent == old)
    connection.execute(sa.update(keys).where(mine).values(parent=new))


def succeed(connection: sa.Connection, tenant: str, old: str, new: str) -> None:
    """``new`` replaces ``old``: it becomes the parent of its keys, and its budgets count their spending."""
    descendants = below(connection, tenant, old)
    move(connection, tenant, old, new)
    query = sa.select(keys.c.id, keys.c.lineage).where(keys.c.tenant == tenant, keys.c.id.in_(descendants))
    for key_id, text in connection.execute(query).all():
        longer = rows.dump(list(extended(rows.load(text), new)))
        mine = sa.and_(keys.c.tenant == tenant, keys.c.id == key_id)
        connection.execute(sa.update(keys).where(mine).values(lineage=longer))


def held_by(connection: sa.Connection, tenant: str, key_id: str) -> list[str]:
    """The ids of the keys whose spending a budget of ``key_id`` counts: itself and every key with it in its lineage."""
    found = connection.execute(
        sa.select(keys.c.id, keys.c.lineage).where(keys.c.tenant == tenant, keys.c.lineage.contains(f'"{key_id}"'))
    )
    return [key_id, *(row.id for row in found if key_id in rows.load(row.lineage))]


def of(connection: sa.Connection, tenant: str, key_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The lineages of keys."""
    query = sa.select(keys.c.id, keys.c.lineage).where(keys.c.tenant == tenant, keys.c.id.in_(list(key_ids)))
    return {row.id: tuple(rows.load(row.lineage)) for row in connection.execute(query)}


def has_made(key_id: str, living: Sequence[tuple[str, str]]) -> Conflict:
    """The error for revoking ``key_id`` without ``children`` while it has the ``living`` (id, name)."""
    shown = ", ".join(f"{name} ({each})" for each, name in living[:5]) + (", ..." if len(living) > 5 else "")
    return Conflict(
        f"{key_id} made {len(living)} {'key that is' if len(living) == 1 else 'keys that are'} in use: {shown}",
        remedy="Decide about the keys that it created: children=revoke or children=keep (or --children)",
        param="children",
    )
