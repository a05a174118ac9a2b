"""API keys: random secrets, stored as hashes, with scopes and groups, an end and a last use."""

from __future__ import annotations

import asyncio
import builtins
import dataclasses
import logging
import secrets
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from cachetools import TTLCache

import mainspring.stores.keys.lineage as lineage
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, InvalidRequest, MainspringError, NotFound, Unauthenticated
from mainspring.core.scopes import SCOPES, with_implied
from mainspring.core.types import Principal, Reach, confined
from mainspring.stores.events.audit_log import LOCAL, Actor, Audit, HashedText
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.schema import keys
from mainspring.stores.sql.database import Database

Children = Literal["revoke", "keep"]
PREFIX = "ms-"
# A key that another process revokes is refused here after this long at most.
REMEMBERED_S = 3.0
# A key in use is read again before that, beside the requests: only a pause makes one wait for the database.
REREAD_S = 1.0
REMEMBERED = 10_000
USE_RESOLUTION_S = 60.0
# The year 9999.
_NO_END = 253_370_764_800.0
_REACH = ("models", "collections", "regions")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key without its secret; ``hint`` is how the secret begins. Times are Unix seconds. ``tier`` names its rate
    limits in ``serving.tiers`` (empty: the default). ``consent``: its requests may be used for learning. ``reach``
    limits it. ``parent`` created it, and its spending counts for the budgets of ``lineage``: see
    ``stores.keys.lineage``. ``identity`` is the first of the keys that this one has replaced, one after the other; it
    is empty for a key that replaced none. Belongings of a key belong to that id."""

    id: str
    tenant: str
    name: str
    hint: str
    scopes: frozenset[str]
    groups: frozenset[str]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    tier: str = ""
    consent: bool = False
    reach: Reach = Reach()
    parent: str = ""
    lineage: tuple[str, ...] = ()
    identity: str = ""

    def usable(self, at: float) -> bool:
        """Neither revoked nor expired at Unix time ``at``."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def principal(self) -> Principal:
        """The principal of this key. The scope ``admin`` brings all others of its tenant."""
        return Principal(
            self.tenant,
            self.id,
            with_implied(self.scopes),
            confined(self.groups, self.reach.collections),
            self.tier,
            self.consent,
            self.reach,
            self.lineage,
            self.identity,
        )


class Keys:
    """The keys of all tenants. Secrets have 256 random bits, so a plain sha256 hides them.

    Changes of a key are logged in the same transaction; ``by`` is the actor.
    """

    def __init__(self, database: Database, audit: Audit | None = None, quotas: Quotas | None = None) -> None:
        self._database = database
        self._quotas = quotas or Quotas(database)
        self._audit = audit or Audit(database)
        self._remembered: TTLCache[str, tuple[KeyInfo, float]] = TTLCache(REMEMBERED, REMEMBERED_S)
        self._rereading: set[str] = set()
        self._forgotten = 0
        self._notes: set[asyncio.Task[None]] = set()

    async def create(
        self,
        name: str,
        *,
        tenant: str = "default",
        scopes: frozenset[str],
        groups: frozenset[str] = frozenset(),
        expires_at: float | None = None,
        tier: str = "",
        consent: bool = False,
        reach: Reach = Reach(),  # noqa: B008 - frozen
        maker: Principal | None = None,
        by: Actor = LOCAL,
    ) -> tuple[KeyInfo, str]:
        """A new key, made by the key or token of ``maker`` (None: at the machine), and its secret, which cannot be read
        again. Raises ``InvalidRequest`` for an unknown scope, or a scope that no limit can restrict; ``Forbidden`` if
        the maker has ended, or ends sooner."""
        if unknown := scopes - set(SCOPES):
            raise InvalidRequest(
                f"unknown scope {', '.join(sorted(unknown))}",
                remedy=f"There are: {', '.join(sorted(SCOPES))}",
                param="scopes",
            )
        _check_named(name, tenant, expires_at)
        for each in (*groups, *reach.models, *reach.collections, *reach.regions):
            if not each or not each.isprintable():
                raise InvalidRequest(f"{each!r} is not a name", remedy="Use printable characters only", param="groups")
        if "admin" in scopes and (reach.models or reach.collections):
            raise InvalidRequest(
                "the scope admin covers a whole tenant, so models and collections cannot limit it",
                remedy="Leave out the scope, or the lists",
                param="scopes",
            )
        parent, above = ("", ()) if maker is None else (maker.key_id, lineage.extended(maker.lineage, maker.key_id))
        plain = KeyInfo("", tenant, name, "", scopes, groups, 0.0, expires_at, tier=tier, consent=consent, reach=reach)
        info, secret, row = _new(dataclasses.replace(plain, parent=parent, lineage=above))

        def work(connection: sa.Connection) -> None:
            self._quotas.hold(connection, tenant, "keys")
            lineage.check_parent(connection, tenant, parent, expires_at)
            connection.execute(sa.insert(keys), row)
            self._audit.append(connection, tenant, "key.created", by, object=info.id, details=_told(info))

        await self._database.write(work, durable=True)
        return info, secret

    async def authenticate(self, secret: str) -> Principal:
        """Whose secret this is. Raises ``Unauthenticated``: unknown, revoked or expired."""
        digest = rows.digest(rows.clean(secret))
        info = self._recall(digest) or await self._look_up(digest)
        if info is None:
            raise Unauthenticated("the API key is unknown", remedy="`mainspring keys create NAME` makes one")
        if not info.usable(time.time()):
            ended = "was revoked" if info.revoked_at is not None else "has expired"
            raise Unauthenticated(f"the API key {info.hint}... {ended}", remedy="Ask for a new one")
        return info.principal()

    async def get(self, tenant: str, key_id: str) -> KeyInfo:
        """Raises ``NotFound``."""
        found = await self._select(sa.select(keys).where(keys.c.tenant == tenant, keys.c.id == key_id))
        if not found:
            raise _unknown(key_id)
        return found[0]

    async def list(self, tenant: str) -> list[KeyInfo]:
        """All keys of the tenant, revoked and expired ones too, oldest first."""
        return await self._select(sa.select(keys).where(keys.c.tenant == tenant).order_by(keys.c.id))

    async def revoke(
        self, tenant: str, key_id: str, *, children: Children | None = None, by: Actor = LOCAL
    ) -> builtins.list[str]:
        """Refuse the key from now on: here at once, elsewhere within ``REMEMBERED_S``; returns the ids of revoked keys.

        ``children`` says what happens to the usable keys that this key and its descendants created: they are revoked
        too, or kept as if this key's own maker had created them. Raises ``NotFound``, and ``Conflict`` if there are
        such keys and ``children`` is not given.
        """

        def work(connection: sa.Connection) -> builtins.list[str]:
            of = connection.execute(sa.select(keys.c.parent).where(*_mine(tenant, key_id)).with_for_update())
            parent = of.scalar_one_or_none()
            if parent is None:
                raise _unknown(key_id)
            descendants = lineage.below(connection, tenant, key_id)
            living = lineage.usable(connection, tenant, descendants)
            if living and children is None:
                raise lineage.has_made(key_id, living)
            if children == "revoke" and by.actor in dict(living):
                raise Conflict("a key cannot revoke itself", remedy="Revoke them with another admin key")
            ended = [key_id, *(each for each, _ in living)] if children == "revoke" else [key_id]
            for each in ended:
                _change(connection, tenant, each, {"revoked_at": time.time()})
            if children != "revoke":
                lineage.move(connection, tenant, key_id, parent)
            for each in ended:
                told = {} if each == key_id else {"with": key_id}
                self._audit.append(connection, tenant, "key.revoked", by, object=each, details=told)
            return ended

        # Revoking a leaked secret must also work on a full disk.
        ended = await self._database.write(work, frees=True)
        self._forget()
        return ended

    async def below(self, tenant: str, key_id: str) -> builtins.list[KeyInfo]:
        """The usable keys that it and those made, oldest first."""

        def work(connection: sa.Connection) -> set[str]:
            return {each for each, _ in lineage.usable(connection, tenant, lineage.below(connection, tenant, key_id))}

        found = await self._database.read(work)
        return [info for info in await self.list(tenant) if info.id in found]

    async def rotate(
        self, tenant: str, key_id: str, *, overlap_s: float = 0.0, by: Actor = LOCAL
    ) -> tuple[KeyInfo, str]:
        """A new key with the old key's name, scopes, groups, tier and expiry; the old key expires after ``overlap_s``.
        Raises ``NotFound`` for a key that is unknown, revoked or expired."""
        old = await self.get(tenant, key_id)
        info, secret, row = _new(
            dataclasses.replace(old, lineage=lineage.extended(old.lineage, old.id), identity=old.identity or old.id)
        )
        end = time.time() + overlap_s
        end = end if old.expires_at is None else min(end, old.expires_at)

        def work(connection: sa.Connection) -> None:
            # The check is within the transaction: a key that is revoked at the same time must leave no successor.
            _change(connection, tenant, key_id, {"expires_at": end}, usable=True)
            lineage.succeed(connection, tenant, key_id, info.id)
            connection.execute(sa.insert(keys), row)
            details = {"successor": info.id, "overlap_s": overlap_s}
            self._audit.append(connection, tenant, "key.rotated", by, object=key_id, details=details)

        await self._database.write(work, durable=True)
        self._forget()
        return info, secret

    async def set_tier(self, tenant: str, key_id: str, tier: str, *, by: Actor = LOCAL) -> None:
        """Another tier from now on: here at once, elsewhere within ``REMEMBERED_S``. Raises ``NotFound``."""
        await self._changed(tenant, key_id, "key.limits", by, tier=tier)

    async def set_consent(self, tenant: str, key_id: str, consent: bool, *, by: Actor = LOCAL) -> None:
        """Whether the key's requests may be used for learning if they do not say. Raises ``NotFound``."""
        await self._changed(tenant, key_id, "key.consent", by, consent=consent)

    async def any_admin(self) -> bool:
        """Whether some tenant has a key with the scope ``admin`` that can be used now."""
        now = time.time()
        return any("admin" in info.scopes and info.usable(now) for info in await self._select(sa.select(keys)))

    async def close(self) -> None:
        """Wait for background work."""
        if self._notes:
            await asyncio.wait(self._notes)

    async def _changed(self, tenant: str, key_id: str, action: str, by: Actor, **changes: float | str) -> None:
        told = {name: value for name, value in changes.items() if name != "revoked_at"}

        def work(connection: sa.Connection) -> None:
            _change(connection, tenant, key_id, changes)
            self._audit.append(connection, tenant, action, by, object=key_id, details=told)

        await self._database.write(work, durable=True)
        self._forget()

    def _forget(self) -> None:
        self._remembered.clear()
        self._forgotten += 1

    def _recall(self, digest: str) -> KeyInfo | None:
        remembered = self._remembered.get(digest)
        if remembered is None:
            return None
        info, read_at = remembered
        if time.monotonic() - read_at > REREAD_S and digest not in self._rereading:
            self._rereading.add(digest)
            self._beside(self._reread(digest))
        return info

    async def _reread(self, digest: str) -> None:
        try:
            if await self._look_up(digest) is None:
                self._remembered.pop(digest, None)
        except MainspringError as error:
            # A remembered key still expires; then a request gets the error.
            _log.warning("an API key could not be read again: %s", error)
        finally:
            self._rereading.discard(digest)

    async def _look_up(self, digest: str) -> KeyInfo | None:
        forgotten, asked_at = self._forgotten, time.monotonic()
        found = await self._select(sa.select(keys).where(keys.c.digest == digest))
        if not found:
            return None
        info = found[0]
        # A value that was read before a revocation must not be remembered after it.
        if forgotten == self._forgotten:
            self._remembered[digest] = (info, asked_at)
        if info.usable(time.time()) and (info.last_used_at or 0.0) < time.time() - USE_RESOLUTION_S:
            self._beside(self._note_use(info.tenant, info.id))
        return info

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="keys")
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _note_use(self, tenant: str, key_id: str) -> None:
        now = time.time()
        statement = sa.update(keys).where(
            keys.c.tenant == tenant,
            keys.c.id == key_id,
            sa.func.coalesce(keys.c.last_used_at, 0.0) < now - USE_RESOLUTION_S,
        )
        try:
            await self._database.write(
                lambda connection: connection.execute(statement.values(last_used_at=now)) and None, durable=False
            )
        except MainspringError as error:
            _log.warning("the last use of key %s was not noted: %s", key_id, error)

    async def _select(self, query: sa.Select[Any]) -> builtins.list[KeyInfo]:
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_info(row) for row in found]


def _check_named(name: str, tenant: str, expires_at: float | None) -> None:
    """Raises ``InvalidRequest``."""
    for what, text, most in (("name", name, 128), ("tenant", tenant, 64)):
        if not text.isprintable() or not 0 < len(text) <= most:
            remedy = f"Use 1 to {most} printable characters"
            raise InvalidRequest(f"{text!r} is not a {what}", remedy=remedy, param=what)
    # An end that is no number would be before every time; one that no calendar has cannot be shown.
    if expires_at is not None and not 0 <= expires_at < _NO_END:
        raise InvalidRequest("the key's end is not a time", remedy="Leave it out for a key without end", param="days")


def _new(like: KeyInfo) -> tuple[KeyInfo, str, dict[str, Any]]:
    """A key that is ``like`` another in all that is no key's own, its secret, and its row."""
    secret = PREFIX + secrets.token_urlsafe(32)
    info = dataclasses.replace(
        like,
        id=ids.new("key_"),
        hint=secret[: len(PREFIX) + 4],
        created_at=time.time(),
        revoked_at=None,
        last_used_at=None,
    )
    fields = {field.name: getattr(info, field.name) for field in dataclasses.fields(info) if field.name != "reach"}
    for name in _REACH:
        fields[name] = getattr(info.reach, name)
    row = {name: rows.names(value) if isinstance(value, frozenset) else value for name, value in fields.items()}
    return info, secret, {**row, "digest": rows.digest(secret), "lineage": rows.dump(list(info.lineage))}


def _told(info: KeyInfo) -> dict[str, Any]:
    """The audit log's record of a new key: neither its name nor its secret."""
    return {
        "scopes": sorted(info.scopes),
        "groups": [HashedText(each) for each in sorted(info.groups)],
        "expires_at": info.expires_at,
        "tier": info.tier,
        "consent": info.consent,
        "parent": info.parent,
        **{name: [HashedText(each) for each in sorted(getattr(info.reach, name))] for name in _REACH},
    }


def _change(
    connection: sa.Connection, tenant: str, key_id: str, changes: Mapping[str, float | str], *, usable: bool = False
) -> None:
    """Raises ``NotFound`` if there is no such key, or it has ended but must be ``usable``."""
    mine = sa.and_(keys.c.tenant == tenant, keys.c.id == key_id)
    if usable:
        mine &= keys.c.revoked_at.is_(None) & sa.or_(keys.c.expires_at.is_(None), keys.c.expires_at > time.time())
    # A key that was revoked stays so since its first revocation.
    values = {
        name: sa.func.coalesce(keys.c.revoked_at, value) if name == "revoked_at" else value
        for name, value in changes.items()
    }
    if connection.execute(sa.update(keys).where(mine).values(values)).rowcount == 0:
        raise _unknown(key_id)


def _mine(tenant: str, key_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return keys.c.tenant == tenant, keys.c.id == key_id


def _unknown(key_id: str) -> NotFound:
    return NotFound(f"there is no key {key_id}", remedy="`mainspring keys list` shows them")


def _info(row: sa.Row[Any]) -> KeyInfo:
    fields = dict(row._mapping)
    del fields["digest"]
    reach = Reach(**{name: frozenset(rows.load(fields.pop(name))) for name in _REACH})
    sets = {name: frozenset(rows.load(fields[name])) for name in ("scopes", "groups")}
    return KeyInfo(**{**fields, **sets, "reach": reach, "lineage": tuple(rows.load(fields["lineage"]))})
