"""The workspaces of all tenants: their files in the database, and the index of those that are in use in memory.

A workspace belongs to the key that made it, and nobody else finds it; a shared one is found by all keys of the tenant
in the groups of that key.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, QuotaExceeded, TooLarge
from mainspring.core.types import Principal
from mainspring.features.code.index import file_rows
from mainspring.features.code.index.catalogue import Catalogue, IndexedFile
from mainspring.features.code.index.file_rows import SentFile, Verdict
from mainspring.features.code.settings import CodeSettings
from mainspring.features.code.tables import code_files, code_workspaces
from mainspring.stores.sql.database import Database

PREFIX = "cws_"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace; times are Unix seconds. ``files`` is the number of its files."""

    id: str
    name: str
    shared: bool
    version: int
    removed: int
    created_at: float
    updated_at: float
    files: int = 0


class Workspaces:
    """Workspaces and their indexes."""

    _of: ClassVar[WeakKeyDictionary[Database, Workspaces]] = WeakKeyDictionary()

    @classmethod
    def of(cls, database: Database, settings: CodeSettings) -> Workspaces:
        """Those of a database, the same for everybody who asks: an index is held once."""
        if database not in cls._of:
            cls._of[database] = cls(database, settings)
        return cls._of[database]

    def __init__(self, database: Database, settings: CodeSettings) -> None:
        self._database = database
        self._settings = settings
        self._loaded: OrderedDict[tuple[str, str], Catalogue] = OrderedDict()
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def create(self, principal: Principal, name: str, *, shared: bool = False) -> Workspace:
        """The caller's workspace of that name: a new one, or the one that there is. Raises ``QuotaExceeded``."""
        now = time.time()
        made = Workspace(ids.new(PREFIX), name, shared, 0, 0, now, now)

        def work(connection: sa.Connection) -> Workspace:
            own = sa.and_(code_workspaces.c.tenant == principal.tenant, code_workspaces.c.owner == principal.person)
            there = connection.execute(sa.select(code_workspaces).where(own, code_workspaces.c.name == name)).first()
            if there is not None:
                return _with_files(connection, principal.tenant, _workspace(there))
            count = connection.execute(sa.select(sa.func.count()).select_from(code_workspaces).where(own)).scalar_one()
            if count >= self._settings.max_workspaces:
                remedy = "Delete some, or raise code.max_workspaces"
                raise QuotaExceeded(f"this key has {count} workspaces, and may have no more", remedy=remedy)
            connection.execute(
                sa.insert(code_workspaces).values(
                    tenant=principal.tenant,
                    id=made.id,
                    owner=principal.person,
                    groups=rows.names(principal.groups),
                    name=name,
                    shared=int(shared),
                    created_at=now,
                    updated_at=now,
                )
            )
            return made

        return await self._database.write(work, durable=True)

    async def list(self, principal: Principal) -> list[Workspace]:
        """Those that the caller may use, oldest first."""

        def work(connection: sa.Connection) -> list[Workspace]:
            found = connection.execute(
                sa.select(code_workspaces)
                .where(code_workspaces.c.tenant == principal.tenant)
                .order_by(code_workspaces.c.id)
            ).all()
            return [
                _with_files(connection, principal.tenant, _workspace(row)) for row in found if _visible(row, principal)
            ]

        return await self._database.read(work)

    async def get(self, principal: Principal, workspace_id: str) -> Workspace:
        """By its id or its name. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> Workspace:
            return _with_files(connection, principal.tenant, _found(connection, principal, workspace_id))

        return await self._database.read(work)

    async def delete(self, principal: Principal, workspace_id: str) -> str:
        """Delete a workspace of the caller's own, with all of its files; its id. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> str:
            found = _found(connection, principal, workspace_id, own=True)
            delete_workspaces(connection, principal.tenant, [found.id])
            return found.id

        deleted = await self._database.write(work, durable=True, frees=True)
        self._loaded.pop((principal.tenant, deleted), None)
        return deleted

    async def hashes(self, principal: Principal, workspace_id: str) -> dict[str, str]:
        """The sha256 of each file, by path. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> dict[str, str]:
            found = _found(connection, principal, workspace_id)
            query = sa.select(code_files.c.path, code_files.c.sha256).where(_of(principal.tenant, found.id))
            return {row.path: row.sha256 for row in connection.execute(query)}

        return await self._database.read(work)

    async def put(self, principal: Principal, workspace_id: str, sent: Sequence[SentFile]) -> dict[str, Verdict]:
        """Index files that are new or have changed; what became of each, by path.

        A file that may not be indexed any more leaves the index. Raises ``NotFound``, ``TooLarge``.
        """
        known = await self.hashes(principal, workspace_id)
        changed = [each for each in sent if known.get(each.path) != each.sha256]
        made = await asyncio.to_thread(file_rows.made, changed, self._settings.max_file_bytes)
        verdicts = {each.path: Verdict("unchanged") for each in sent} | {
            path: each.verdict for path, each in made.items()
        }

        def work(connection: sa.Connection) -> None:
            found = _found(connection, principal, workspace_id)
            dropped = [path for path, each in made.items() if each.file is None and path in known]
            kept = [each.file for each in made.values() if each.file is not None]
            if not kept and not dropped:
                return
            version = _changed(connection, principal.tenant, found.id, removed=bool(dropped))
            _delete(connection, principal.tenant, found.id, [*dropped, *(each.path for each in kept)])
            now = time.time()
            values = [file_rows.row(principal.tenant, found.id, each, version, now) for each in kept]
            if values:
                connection.execute(sa.insert(code_files), values)
            self._check(connection, principal.tenant, found.id)

        await self._database.write(work, durable=False)
        return verdicts

    async def remove(self, principal: Principal, workspace_id: str, paths: Sequence[str]) -> int:
        """Take files out of the index; how many there were. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> int:
            found = _found(connection, principal, workspace_id)
            count = _delete(connection, principal.tenant, found.id, paths)
            if count:
                _changed(connection, principal.tenant, found.id, removed=True)
            return count

        return await self._database.write(work, durable=False)

    async def catalogue(self, principal: Principal, workspace_id: str) -> Catalogue:
        """The index, as new as the database. Raises ``NotFound``."""
        found = await self._database.read(lambda connection: _found(connection, principal, workspace_id))
        key = (principal.tenant, found.id)
        loaded = self._loaded.get(key)
        if loaded is None or loaded.version != found.version:
            async with self._locks.setdefault(key, asyncio.Lock()):
                loaded = self._loaded.get(key) or Catalogue(-1)
                if loaded.version < found.version:
                    await self._load(key, loaded, found)
                self._loaded[key] = loaded
        self._loaded.move_to_end(key)
        while len(self._loaded) > self._settings.loaded_workspaces:
            gone_key, _ = self._loaded.popitem(last=False)
            self._locks.pop(gone_key, None)
        return loaded

    async def _load(self, key: tuple[str, str], catalogue: Catalogue, workspace: Workspace) -> None:
        tenant, workspace_id = key
        since = catalogue.version

        def work(connection: sa.Connection) -> tuple[set[str] | None, list[IndexedFile]]:
            mine = _of(tenant, workspace_id)
            paths = None
            if workspace.removed > since >= 0:
                paths = set(connection.execute(sa.select(code_files.c.path).where(mine)).scalars())
            newer = sa.select(code_files).where(
                mine, code_files.c.version > since, code_files.c.version <= workspace.version
            )
            return paths, [file_rows.file(row) for row in connection.execute(newer)]

        paths, files = await self._database.read(work)

        def fill() -> None:
            for path in set(catalogue.files) - (paths if paths is not None else set(catalogue.files)):
                catalogue.drop(path)
            for each in files:
                catalogue.put(each)

        # A few files are put in at once: between two steps of the loop nobody sees a half of them.
        if len(files) > 20 and since < 0:
            await asyncio.to_thread(fill)
        else:
            fill()
        catalogue.version = workspace.version

    def _check(self, connection: sa.Connection, tenant: str, workspace_id: str) -> None:
        """Raises ``TooLarge``, which undoes the change."""
        sums = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(code_files.c.text)), 0))
        files, characters = connection.execute(sums.where(_of(tenant, workspace_id))).one()
        if files > self._settings.max_files:
            remedy = "Index a part of the folder, or raise code.max_files"
            raise TooLarge(f"the workspace would have {files} files, at most {self._settings.max_files}", remedy=remedy)
        if characters > self._settings.max_workspace_bytes:
            remedy = "Index a part of the folder, or raise code.max_workspace_bytes"
            most = self._settings.max_workspace_bytes
            raise TooLarge(f"the workspace would have {characters} characters, at most {most}", remedy=remedy)


def delete_workspaces(connection: sa.Connection, tenant: str, workspace_ids: Sequence[str]) -> int:
    """Delete these workspaces with their files; how many files."""
    count = 0
    for each in workspace_ids:
        count += connection.execute(sa.delete(code_files).where(_of(tenant, each))).rowcount
        one = sa.and_(code_workspaces.c.tenant == tenant, code_workspaces.c.id == each)
        connection.execute(sa.delete(code_workspaces).where(one))
    return count


def _of(tenant: str, workspace_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(code_files.c.tenant == tenant, code_files.c.workspace_id == workspace_id)


def _delete(connection: sa.Connection, tenant: str, workspace_id: str, paths: Sequence[str]) -> int:
    parts = [paths[start : start + 500] for start in range(0, len(paths), 500)]
    gone_now = [sa.delete(code_files).where(_of(tenant, workspace_id), code_files.c.path.in_(part)) for part in parts]
    return sum(connection.execute(each).rowcount for each in gone_now)


def _changed(connection: sa.Connection, tenant: str, workspace_id: str, *, removed: bool) -> int:
    """The new version of the workspace."""
    mine = sa.and_(code_workspaces.c.tenant == tenant, code_workspaces.c.id == workspace_id)
    values: dict[str, object] = {"version": code_workspaces.c.version + 1, "updated_at": time.time()}
    if removed:
        values["removed"] = code_workspaces.c.version + 1
    change = sa.update(code_workspaces).where(mine).values(**values).returning(code_workspaces.c.version)
    return int(connection.execute(change).scalar_one())


def _found(connection: sa.Connection, principal: Principal, named: str, *, own: bool = False) -> Workspace:
    mine = code_workspaces.c.tenant == principal.tenant
    either = sa.or_(code_workspaces.c.id == named, code_workspaces.c.name == named)
    found = connection.execute(sa.select(code_workspaces).where(mine, either).order_by(code_workspaces.c.id)).all()
    # A name of one's own goes before the shared one of somebody else.
    for row in sorted(found, key=lambda row: row.owner != principal.person):
        if row.owner == principal.person or (not own and _visible(row, principal)):
            return _workspace(row)
    remedy = "GET /v1/code/workspaces lists those of this key; POST makes one"
    raise NotFound(f"there is no workspace {named!r}", remedy=remedy, param="workspace")


def _visible(row: sa.Row[tuple[object, ...]], principal: Principal) -> bool:
    values = row._mapping
    if values["owner"] == principal.person:
        return True
    return bool(values["shared"]) and frozenset(rows.load(str(values["groups"]))) <= principal.groups


def _workspace(row: sa.Row[tuple[object, ...]]) -> Workspace:
    one = row._mapping
    return Workspace(
        one["id"],
        one["name"],
        bool(one["shared"]),
        one["version"],
        one["removed"],
        one["created_at"],
        one["updated_at"],
    )


def _with_files(connection: sa.Connection, tenant: str, workspace: Workspace) -> Workspace:
    counted = sa.select(sa.func.count()).select_from(code_files).where(_of(tenant, workspace.id))
    files = connection.execute(counted).scalar_one()
    return Workspace(
        workspace.id,
        workspace.name,
        workspace.shared,
        workspace.version,
        workspace.removed,
        workspace.created_at,
        workspace.updated_at,
        files,
    )
