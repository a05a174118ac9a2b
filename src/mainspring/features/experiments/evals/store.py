"""Evals in the database."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.experiments.tables import evals
from mainspring.stores.sql import ids, pages
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice
from mainspring.stores.sql.row_access import RowAccess

PREFIX = "eval_"


class EvalStore:
    """The evals that a principal may see: those whose groups it has all."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def create(
        self,
        principal: Principal,
        name: str,
        config: Mapping[str, Any],
        criteria: Sequence[Mapping[str, Any]],
        metadata: Mapping[str, str],
    ) -> sa.Row[Any]:
        """Raises ``QuotaExceeded``."""
        eval_id, tenant = ids.new(PREFIX), principal.tenant

        def work(connection: sa.Connection) -> None:
            counted = sa.select(sa.func.count()).select_from(evals).where(evals.c.tenant == tenant)
            if connection.execute(counted).scalar_one() >= self._most:
                raise QuotaExceeded(f"{self._most} evals are kept, the maximum", remedy="Delete some", param="name")
            connection.execute(
                sa.insert(evals).values(
                    tenant=tenant,
                    id=eval_id,
                    name=name,
                    config=rows.dump(dict(config)),
                    criteria=rows.dump(list(criteria)),
                    metadata=rows.dump(dict(metadata)),
                    groups=rows.names(principal.groups),
                    owner=principal.person,
                    created_at=time.time(),
                )
            )

        await self._database.write(work, durable=True)
        return await self.get(principal, eval_id)

    async def get(self, principal: Principal, eval_id: str) -> sa.Row[Any]:
        """Raises ``NotFound``."""
        query = sa.select(evals).where(evals.c.tenant == principal.tenant, evals.c.id == eval_id)

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            seen = RowAccess(connection, principal.groups).has_all(evals.c.groups)
            return connection.execute(query.where(seen)).one_or_none()

        row = await self._database.read(work)
        if row is None:
            raise NotFound(f"there is no eval {eval_id:.100}", param="eval_id")
        return row

    async def page(self, principal: Principal, page: Page) -> Slice[sa.Row[Any]]:
        """Evals by their ids. Raises ``InvalidRequest`` for a cursor."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            seen = RowAccess(connection, principal.groups).has_all(evals.c.groups)
            query = sa.select(evals).where(evals.c.tenant == principal.tenant, seen)
            return pages.read(connection, query, (evals.c.id,), page, pages.by_id(PREFIX))

        return await self._database.read(work)

    async def change(self, principal: Principal, eval_id: str, **values: Any) -> sa.Row[Any]:
        """Raises ``NotFound``."""
        await self.get(principal, eval_id)
        one = sa.and_(evals.c.tenant == principal.tenant, evals.c.id == eval_id)
        if values:
            await self._database.write(
                lambda connection: connection.execute(sa.update(evals).where(one).values(values))
            )
        return await self.get(principal, eval_id)

    async def delete(self, principal: Principal, eval_id: str) -> None:
        """Raises ``NotFound``."""
        await self.get(principal, eval_id)
        one = sa.and_(evals.c.tenant == principal.tenant, evals.c.id == eval_id)
        await self._database.write(lambda connection: connection.execute(sa.delete(evals).where(one)), durable=True)
