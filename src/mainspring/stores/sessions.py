"""Conversations: the turns of a session, written with the events of the answer that ended them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.contents as contents
import mainspring.stores.ids as ids
import mainspring.stores.rows as rows
from mainspring.stores.database import Database
from mainspring.stores.schema import contents as contents_table
from mainspring.stores.schema import turns
from mainspring.types import Message, ToolCall


@dataclass(frozen=True, slots=True)
class SessionTurn:
    """What one request added to a session: the new messages of the caller, and the answer. ``at`` Unix seconds."""

    tenant: str
    session_id: str
    messages: tuple[Message, ...]
    trace_id: str
    at: float


class Sessions:
    """Reads and deletes conversations; ``EventLog.settle`` writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, tenant: str, session_id: str, limit: int) -> list[Message]:
        """The last ``limit`` messages, oldest first; none for an unknown session."""
        query = (
            sa.select(turns.c.role, turns.c.extra, contents_table.c.text)
            .join(
                contents_table,
                sa.and_(contents_table.c.tenant == turns.c.tenant, contents_table.c.sha256 == turns.c.content_id),
            )
            .where(turns.c.tenant == tenant, turns.c.session_id == session_id)
            .order_by(turns.c.id.desc(), turns.c.position.desc())
            .limit(limit)
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_message(role, text, extra) for role, extra, text in reversed(found)]

    async def delete(self, tenant: str, session_id: str) -> int:
        """Forget a session and the texts that nothing else refers to. Returns how many messages it had."""
        where = sa.and_(turns.c.tenant == tenant, turns.c.session_id == session_id)
        count = await self._database.write(lambda connection: delete_turns(connection, tenant, where), durable=True)
        await self._database.compact()
        return count


def turn_rows(turn: SessionTurn) -> tuple[list[dict[str, Any]], list[contents.Row]]:
    """A turn as rows of ``turns`` and of ``contents``."""
    turn_id, messages, texts = ids.new("turn-"), [], []
    for position, message in enumerate(turn.messages):
        text = contents.row(turn.tenant, message.content, turn.at)
        texts.append(text)
        messages.append(
            {
                "tenant": turn.tenant,
                "session_id": turn.session_id,
                "id": turn_id,
                "position": position,
                "at": turn.at,
                "trace_id": turn.trace_id,
                "role": message.role,
                "content_id": text["sha256"],
                "extra": _extra(message),
            }
        )
    return messages, texts


def delete_turns(connection: sa.Connection, tenant: str, where: sa.ColumnElement[bool]) -> int:
    """Delete the tenant's turns that match, with the texts that nothing else refers to; how many messages."""
    contents.lock(connection)
    gone: Sequence[str] = (
        connection.execute(sa.delete(turns).where(where).returning(turns.c.content_id)).scalars().all()
    )
    contents.drop_unreferenced(connection, tenant, gone)
    return len(gone)


def _extra(message: Message) -> str:
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    fields: Iterable[tuple[str, Any]] = (
        ("name", message.name),
        ("tool_call_id", message.tool_call_id),
        ("tool_calls", calls),
    )
    return rows.dump({key: value for key, value in fields if value})


def _message(role: Any, text: str, extra: str) -> Message:
    fields = rows.load(extra)
    calls = tuple(ToolCall(**call) for call in fields.pop("tool_calls", ()))
    return Message(role, text, tool_calls=calls, **fields)
