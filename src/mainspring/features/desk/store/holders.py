"""Whose rights stored work has: those of its key as it is now."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import sqlalchemy as sa
from cachetools import TTLCache

from mainspring.core.errors import NotFound, Unauthenticated
from mainspring.core.types import Principal
from mainspring.stores.keys.api_keys import KeyInfo, Keys
from mainspring.stores.schema import keys as table
from mainspring.stores.sql.database import Database

CHAT: frozenset[str] = frozenset({"chat"})
# How long it is believed that a key can still be used, in seconds.
_KEY_S, _KEYS = 2.0, 10_000


class KeyHolders:
    """Resolves the keys behind chats and cases. ``fixed`` are principals that have no key: the system's own."""

    def __init__(self, database: Database, keys: Keys, fixed: Sequence[Principal]) -> None:
        self._database = database
        self._keys = keys
        self._fixed = {(each.tenant, each.key_id): each for each in fixed}
        self._believed: TTLCache[tuple[str, str], KeyInfo] = TTLCache(_KEYS, _KEY_S)

    async def principal(
        self, tenant: str, key_id: str, groups: frozenset[str], scopes: frozenset[str] = CHAT
    ) -> Principal:
        """The key with its rights now, within these groups and scopes. Raises ``Unauthenticated``."""
        fixed = self._fixed.get((tenant, key_id))
        if fixed is not None:
            return dataclasses.replace(fixed, scopes=scopes, groups=groups)
        key = await self._key(tenant, key_id)
        if not key.usable(time.time()):
            raise _over()
        return dataclasses.replace(key.principal(), scopes=scopes, groups=groups)

    async def of_person(
        self, tenant: str, person: str, groups: frozenset[str], scopes: frozenset[str] = CHAT
    ) -> Principal:
        """The newest usable key of an identity (see ``Principal.person``). Raises ``Unauthenticated``: there is none,
        as for somebody who came with a token."""
        if (tenant, person) in self._fixed:
            return await self.principal(tenant, person, groups, scopes)
        mine = sa.and_(table.c.tenant == tenant, sa.or_(table.c.id == person, table.c.identity == person))
        now = time.time()
        usable = table.c.revoked_at.is_(None) & sa.or_(table.c.expires_at.is_(None), table.c.expires_at > now)
        newest = sa.select(table.c.id).where(mine, usable).order_by(table.c.created_at.desc()).limit(1)
        found = await self._database.read(lambda connection: connection.execute(newest).scalar_one_or_none())
        if found is None:
            raise _over()
        return await self.principal(tenant, found, groups, scopes)

    async def end(self, tenant: str, key_id: str) -> float | None:
        """When the key ends, in Unix seconds; None: it has no end. Raises ``Unauthenticated``."""
        return None if (tenant, key_id) in self._fixed else (await self._key(tenant, key_id)).expires_at

    async def _key(self, tenant: str, key_id: str) -> KeyInfo:
        found = self._believed.get((tenant, key_id))
        if found is None:
            try:
                found = await self._keys.get(tenant, key_id)
            except NotFound:
                raise _over() from None
            self._believed[tenant, key_id] = found
        return found


def _over() -> Unauthenticated:
    return Unauthenticated("the API key behind this was revoked or has expired", remedy="Begin again with another one")
