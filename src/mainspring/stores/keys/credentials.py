"""Credentials of providers, encrypted at rest: what ``api_key: credential:NAME`` in the configuration means.

Each secret is encrypted with a random key of its own, and that key with one of the keyring, which is not in the
database (AES-256-GCM both times, bound to names and key ids). A copy of the database reveals nothing, a row that was
changed or moved to another name is refused, and changing the master key re-encrypts only small keys.
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.keys.keyring as keyrings
import mainspring.stores.sql.database as sql
from mainspring.core import private_files
from mainspring.core.errors import InvalidRequest, MissingExtra, NotFound, SettingsError, StoreError
from mainspring.core.settings import Settings, references
from mainspring.stores.events.audit_log import LOCAL, SERVER, Actor, Audit
from mainspring.stores.keys.keyring import Keyring
from mainspring.stores.schema import credentials
from mainspring.stores.sql.database import Database

MAX_BYTES = 8192
_NONCE = 12


@dataclass(frozen=True, slots=True)
class CredentialInfo:
    """A credential without its secret. Times are Unix seconds; ``key_id`` is the key of the ring that guards it."""

    name: str
    key_id: str
    created_at: float
    updated_at: float


class Credentials:
    """The credentials of this installation. They belong to no tenant, like the configuration that names them."""

    def __init__(self, database: Database, settings: Settings, audit: Audit | None = None) -> None:
        self._database = database
        self._settings = settings
        self._audit = audit or Audit(database)

    async def set(self, name: str, secret: str, *, by: Actor = LOCAL) -> CredentialInfo:
        """Store ``secret`` under ``name``, replacing an earlier one.

        Raises ``InvalidRequest`` (a name that cannot be referred to, a secret that is empty or too long),
        ``SettingsError`` and ``MissingExtra``.
        """
        if not references.CREDENTIAL.fullmatch(f"{references.PREFIX}{name}"):
            raise InvalidRequest(f"{name!r} is not a name", remedy="Use letters, digits, -, _ and .", param="name")
        if not secret or len(secret.encode()) > MAX_BYTES or not secret.isprintable():
            problem = f"the secret is empty, longer than {MAX_BYTES} bytes, or holds control characters"
            raise InvalidRequest(problem, remedy="Send it alone, in one line", param="secret")
        with self._locked():
            ring = keyrings.keyring(self._settings, make=True)
            row = {"name": name, **sealed(ring, name, secret)}
            now = time.time()

            def work(connection: sa.Connection) -> CredentialInfo:
                mine = credentials.c.name == name
                kept = connection.execute(sa.select(credentials.c.created_at).where(mine)).scalar_one_or_none()
                if kept is None:
                    connection.execute(sa.insert(credentials), {**row, "created_at": now, "updated_at": now})
                else:
                    connection.execute(sa.update(credentials).where(mine).values({**row, "updated_at": now}))
                self._note(connection, "credential.set", by, name)
                return CredentialInfo(name, row["key_id"], now if kept is None else kept, now)

            return await self._database.write(work, durable=True)

    async def list(self) -> list[CredentialInfo]:
        """All of them by name, without their secrets."""
        columns = (credentials.c[name] for name in ("name", "key_id", "created_at", "updated_at"))
        query = sa.select(*columns).order_by(credentials.c.name)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [CredentialInfo(**row._mapping) for row in found]

    async def remove(self, name: str, *, by: Actor = LOCAL) -> None:
        """Forget a credential. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            if connection.execute(sa.delete(credentials).where(credentials.c.name == name)).rowcount == 0:
                raise _unknown(name)
            self._note(connection, "credential.removed", by, name)

        await self._database.write(work, durable=True)

    async def reveal(self, name: str) -> str:
        """The secret. Raises ``NotFound``, ``SettingsError``, and ``StoreError`` if it cannot be decrypted."""
        query = sa.select(credentials).where(credentials.c.name == name)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise _unknown(name)
        return opened(keyrings.keyring(self._settings), row)

    async def rotate(self, *, by: Actor = LOCAL) -> tuple[int, str]:
        """Guard all credentials with another key: a new one, or the first of ``stores.credentials_key``.

        Gives how many there are and the key's id. The file has both keys until everything is done: an interruption
        loses nothing. Raises ``StoreError`` if one cannot be decrypted; then nothing has changed.
        """
        configured = bool(self._settings.stores.credentials_key)
        path = keyrings.path_of(self._settings)
        with self._locked():
            if configured:
                ring = keyrings.keyring(self._settings)
            else:
                former = keyrings.read(path) if keyrings.keyring(self._settings, make=True) else []
                keyrings.write(path, [keyrings.new_key(), *former])
                ring = keyrings.keyring(self._settings)

            def work(connection: sa.Connection) -> int:
                found = connection.execute(sa.select(credentials).with_for_update()).all()
                for row in found:
                    fresh = sealed(ring, row.name, opened(ring, row))
                    connection.execute(sa.update(credentials).where(credentials.c.name == row.name).values(fresh))
                self._note(connection, "credentials.rotated", by, "")
                return len(found)

            try:
                count = await self._database.write(work, durable=True)
            except BaseException:
                if not configured:
                    keyrings.write(path, former)
                raise
            if not configured:
                keyrings.write(path, keyrings.read(path)[:1])
        return count, ring.current[0]

    def _note(self, connection: sa.Connection, action: str, by: Actor, name: str) -> None:
        self._audit.append(connection, SERVER, action, by, object=name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time writes: a secret encrypted during a change of key would be lost."""
        path = keyrings.path_of(self._settings)
        private_files.folder(path.parent)
        handle = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


async def resolved(settings: Settings) -> Settings:
    """``settings`` with each ``credential:NAME`` replaced by its secret.

    Raises ``SettingsError`` naming the setting, if the credential is not there or cannot be decrypted.
    """
    named = references.credentials_in(settings)
    if not named:
        return settings
    for place in named:
        if place.startswith("stores."):
            raise SettingsError(
                f"{place} cannot be a credential, because credentials are stored there", remedy="Use env:NAME"
            )
    private_files.folder(settings.home)
    async with sql.open(settings) as database:
        kept = Credentials(database, settings)
        secrets_by_name = {}
        for place, name in named.items():
            try:
                secrets_by_name[name] = await kept.reveal(name)
            except NotFound:
                remedy = f"`mainspring credentials set {name}` keeps it"
                raise SettingsError(f"{place} is credential:{name}, which is not there", remedy=remedy) from None
            except StoreError as error:
                raise SettingsError(f"{place}: {error.message}", remedy=error.remedy) from None
    return references.with_credentials(settings, secrets_by_name)


def sealed(ring: Keyring, name: str, secret: str) -> dict[str, str]:
    """The columns that hold ``secret``."""
    key_id, key = ring.current
    own = secrets.token_bytes(keyrings.BYTES)
    return {
        "key_id": key_id,
        "wrapped": _encrypt(key, own, f"key\0{name}\0{key_id}"),
        "secret": _encrypt(own, secret.encode(), f"secret\0{name}"),
    }


def opened(ring: Keyring, row: sa.Row[Any]) -> str:
    """The secret of a row. Raises ``StoreError``."""
    key = ring.keys.get(row.key_id)
    if key is None:
        raise StoreError(
            f"the credential {row.name} is guarded by the key {row.key_id}, which is not in {ring.place}",
            remedy=f"Put that key back, or set the credential again: `mainspring credentials set {row.name}`",
        )
    own = _decrypt(key, row.wrapped, f"key\0{row.name}\0{row.key_id}")
    secret = None if own is None else _decrypt(own, row.secret, f"secret\0{row.name}")
    if secret is None:
        raise StoreError(
            f"the credential {row.name} was changed in the database: it does not decrypt",
            remedy=f"Find out who changed it, and set it again: `mainspring credentials set {row.name}`",
        )
    return secret.decode()


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingExtra(
            "credentials need the package cryptography", remedy="Install mainspring[credentials]"
        ) from None
    return AESGCM(key)


def _encrypt(key: bytes, plain: bytes, bound: str) -> str:
    nonce = secrets.token_bytes(_NONCE)
    return base64.b64encode(nonce + _cipher(key).encrypt(nonce, plain, bound.encode())).decode()


def _decrypt(key: bytes, text: str, bound: str) -> bytes | None:
    """None if it was changed."""
    cipher = _cipher(key)
    from cryptography.exceptions import InvalidTag

    try:
        raw = base64.b64decode(text, validate=True)
        plain: bytes = cipher.decrypt(raw[:_NONCE], raw[_NONCE:], bound.encode())
    except (InvalidTag, ValueError):
        return None
    return plain


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no credential {name}", remedy="`mainspring credentials list` shows them")
