"""Research that is used again: findings of questions, by what they were asked of.

The key is a fingerprint of the collections with their versions, the caller's groups, the chosen documents and the web:
another tenant, other groups or a changed collection never meet the same rows.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.types import Context, Principal
from mainspring.features.content.tables import content_research as research
from mainspring.features.content.text.article import Findings, dump, read
from mainspring.rag.text import terms
from mainspring.stores.sql.database import Database

PREFIX = "res_"
_CONSIDERED = 500


class ResearchCache:
    """The research of all tenants. ``hours`` is how long it is kept (0: never), ``similar`` the cosine from which a
    question's findings serve another one with the same names and numbers."""

    def __init__(self, database: Database, hours: float, similar: float) -> None:
        self._database = database
        self._hours = hours
        self._similar = similar

    async def get(self, principal: Principal, fingerprint: str, question: str, vector: Any) -> Findings | None:
        """What was found for ``question`` or one like it (``vector``: float32, of length 1)."""
        if not self._hours or not fingerprint:
            return None

        def work(connection: sa.Connection) -> list[Any]:
            mine = sa.and_(
                research.c.tenant == principal.tenant,
                research.c.fingerprint == fingerprint,
                research.c.groups == rows.names(principal.groups),
                research.c.expires_at > time.time(),
            )
            query = sa.select(research.c.question, research.c.vector, research.c.findings).where(mine)
            return list(connection.execute(query.order_by(research.c.created_at.desc()).limit(_CONSIDERED)))

        wanted = np.asarray(vector, np.float32)
        for row in await self._database.read(work):
            there = np.frombuffer(row.vector, np.float32)
            same = row.question == question
            alike = there.shape == wanted.shape and float(there @ wanted) >= self._similar
            if same or (alike and _named(row.question) == _named(question)):
                return read(Findings, rows.load(row.findings))
        return None

    async def put(self, context: Context, fingerprint: str, findings: Findings, vector: Any, person: str) -> None:
        """Keep ``findings`` for a while."""
        if not self._hours or not fingerprint or findings.limit:
            return
        now, principal = time.time(), context.principal
        row = {
            "tenant": principal.tenant,
            "id": ids.new(PREFIX),
            "owner": principal.person,
            "groups": rows.names(principal.groups),
            "person": person,
            "trace_id": context.trace.trace_id,
            "fingerprint": fingerprint,
            "question": cards.scrub(findings.question),
            "vector": np.asarray(vector, np.float32).tobytes(),
            "findings": cards.scrub_json(rows.dump(dump(findings))),
            "created_at": now,
            "expires_at": now + self._hours * 3600,
        }
        await self._database.write(lambda connection: connection.execute(sa.insert(research).values(**row)) and None)

    async def expire(self) -> None:
        """Delete what is too old."""
        late = sa.delete(research).where(research.c.expires_at <= time.time())
        await self._database.write(lambda connection: connection.execute(late) and None)


def _named(question: str) -> frozenset[str]:
    """The words of a question that set it apart: two questions that differ in one are not alike."""
    return terms.content(question)
