"""Data derived from the turns of sessions: a summary each, and an embedding of each message.

Both can be lost and computed again. They are written only if no turn was deleted since the computation started, so that
erased text does not return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.stores.schema import session_summaries, sessions, turn_vectors, turns
from mainspring.stores.sessions.conversations import Summary, summary_of
from mainspring.stores.sessions.turns import TurnMessage, messages_query, turn_message
from mainspring.stores.sql.database import Database

_SPOKEN = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class EmbeddedMessage:
    """A message of the past with its embedding, a float32 array of ``dimensions`` (None: not made yet)."""

    said: TurnMessage
    vector: Any


@dataclass(frozen=True, slots=True)
class UncoveredMessages:
    """Messages without all their derived data, oldest first, at a ``revision`` of their session (None: it does not
    exist), and the summary that covers earlier ones."""

    revision: int | None
    said: tuple[TurnMessage, ...] = ()
    summary: Summary | None = None


class SessionMemory:
    """Summaries and embeddings of each tenant's sessions, under their stored names."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def older(
        self, tenant: str, session_id: str, embedder: str, *, before: str, limit: int
    ) -> list[EmbeddedMessage]:
        """The latest ``limit`` messages of users and assistants before turn ``before``, oldest first."""
        query = (
            messages_query()
            .add_columns(turn_vectors.c.vector)
            .outerjoin(turn_vectors, _embedded(embedder))
            .where(turns.c.tenant == tenant, turns.c.session_id == session_id, turns.c.id < before)
            .where(turns.c.role.in_(_SPOKEN))
            .order_by(turns.c.id.desc(), turns.c.position.desc())
            .limit(limit)
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [EmbeddedMessage(turn_message(row), _vector(row.vector)) for row in reversed(found)]

    async def unembedded(self, tenant: str, session_id: str, embedder: str, limit: int) -> UncoveredMessages:
        """Messages of users and assistants that have no embedding yet, the first ``limit``."""
        query = (
            messages_query()
            .outerjoin(turn_vectors, _embedded(embedder))
            .where(turn_vectors.c.id.is_(None), turns.c.role.in_(_SPOKEN))
        )
        return await self._database.read(lambda connection: _first(connection, tenant, session_id, query, limit))

    async def uncovered(self, tenant: str, session_id: str, limit: int) -> UncoveredMessages:
        """The messages behind the summary, the first ``limit``."""

        def work(connection: sa.Connection) -> UncoveredMessages:
            summary = summary_of(connection, tenant, session_id)
            query = messages_query().where(turns.c.id > summary.upto) if summary else messages_query()
            return _first(connection, tenant, session_id, query, limit, summary)

        return await self._database.read(work)

    async def embed(
        self, tenant: str, session_id: str, embedder: str, vectors: Mapping[tuple[str, int], Any], revision: int
    ) -> bool:
        """Keep embeddings by (turn, position); whether they were kept: not where a turn has gone since ``revision``."""
        new = [
            {
                "tenant": tenant,
                "session_id": session_id,
                "id": turn,
                "position": position,
                "embedder": embedder,
                "vector": np.asarray(vector, dtype="<f2").tobytes(),
            }
            for (turn, position), vector in vectors.items()
        ]

        def work(connection: sa.Connection) -> bool:
            if not _unchanged(connection, tenant, session_id, revision):
                return False
            connection.execute(rows.insert_new(connection, turn_vectors), new)
            return True

        return not new or await self._database.write(work, durable=False)

    async def summarise(self, tenant: str, session_id: str, summary: Summary, revision: int) -> bool:
        """Keep a summary in place of one that covers less; whether it was kept, as in ``embed``."""
        mine = sa.and_(session_summaries.c.tenant == tenant, session_summaries.c.session_id == session_id)
        values: dict[str, Any] = {
            "upto": summary.upto,
            "turns": summary.turns,
            "method": summary.method,
            "notes": summary.notes,
            "made_at": summary.made_at,
        }

        def work(connection: sa.Connection) -> bool:
            if not _unchanged(connection, tenant, session_id, revision):
                return False
            found = connection.execute(sa.select(session_summaries.c.upto).where(mine)).scalar_one_or_none()
            if found is not None and found >= summary.upto:
                return False
            if found is None:
                named = {"tenant": tenant, "session_id": session_id}
                connection.execute(sa.insert(session_summaries).values(**named, **values))
            else:
                connection.execute(sa.update(session_summaries).where(mine).values(**values))
            return True

        return await self._database.write(work)

    async def spend(self, tenant: str, session_id: str, tokens: int) -> None:
        """Add what making these took to the session's account."""
        mine = sa.and_(sessions.c.tenant == tenant, sessions.c.session_id == session_id)
        statement = sa.update(sessions).where(mine).values(spent=sessions.c.spent + tokens)
        await self._database.write(lambda connection: connection.execute(statement) and None)


def _first(
    connection: sa.Connection,
    tenant: str,
    session_id: str,
    query: sa.Select[Any],
    limit: int,
    summary: Summary | None = None,
) -> UncoveredMessages:
    mine = sa.and_(sessions.c.tenant == tenant, sessions.c.session_id == session_id)
    # Read before the messages: a later deletion changes it.
    revision = connection.execute(sa.select(sessions.c.revision).where(mine)).scalar_one_or_none()
    wanted = query.where(turns.c.tenant == tenant, turns.c.session_id == session_id)
    found = connection.execute(wanted.order_by(turns.c.id, turns.c.position).limit(limit)).all()
    return UncoveredMessages(revision, tuple(turn_message(row) for row in found), summary)


def _unchanged(connection: sa.Connection, tenant: str, session_id: str, revision: int) -> bool:
    mine = sa.and_(sessions.c.tenant == tenant, sessions.c.session_id == session_id)
    # Held, where writers run side by side, until this transaction ends: deleting turns begins with the same row.
    found = connection.execute(sa.select(sessions.c.revision).where(mine).with_for_update()).scalar_one_or_none()
    return found == revision


def _embedded(embedder: str) -> sa.ColumnElement[bool]:
    same = (turn_vectors.c[name] == turns.c[name] for name in ("tenant", "session_id", "id", "position"))
    return sa.and_(*same, turn_vectors.c.embedder == embedder)


def _vector(data: bytes | None) -> Any:
    return None if data is None else np.frombuffer(data, dtype="<f2").astype(np.float32)


def matrix(older: Sequence[EmbeddedMessage], dimensions: int) -> Any:
    """The embeddings as a float32 array (messages, dimensions); zeros for missing ones."""
    found = np.zeros((len(older), dimensions), dtype=np.float32)
    for index, each in enumerate(older):
        if each.vector is not None and each.vector.shape == (dimensions,):
            found[index] = each.vector
    return found
