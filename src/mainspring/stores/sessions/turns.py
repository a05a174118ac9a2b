"""Writes the turns of conversations as rows, with the facts of a request; reads and deletes them.

The transaction that deletes turns also deletes their derived data (summaries, embeddings) and changes their session's
``revision``: derivations in progress are then not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.contents as contents
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.types import Image, Message, ToolCall
from mainspring.stores.schema import contents as contents_table
from mainspring.stores.schema import session_summaries, sessions, turn_vectors, turns

PREFIX = "turn-"


@dataclass(frozen=True, slots=True)
class SessionTurn:
    """The addition of one request to a session: the caller's new messages, and the answer. ``at`` Unix seconds.

    ``spent`` are the tokens that the request took, ``reserved`` those that were set aside for it. Without messages,
    only the usage is booked, if the session exists.
    """

    tenant: str
    session_id: str
    messages: tuple[Message, ...]
    trace_id: str
    at: float
    spent: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class TurnMessage:
    """A kept message: ``turn`` and ``position`` are its place, ``digest`` is the sha256 of its text, ``trace_id`` is
    the request that brought it."""

    turn: str
    position: int
    at: float
    digest: str
    message: Message
    trace_id: str = ""


def turn_rows(turn: SessionTurn) -> tuple[list[dict[str, Any]], list[contents.Row]]:
    """A turn as rows of ``turns`` and of ``contents``."""
    turn_id, messages, texts = ids.new(PREFIX), [], []
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


def behind(connection: sa.Connection, new: Sequence[dict[str, Any]]) -> None:
    """Give those of ``new`` (rows of ``turn_rows``) another id that would not sort after the turns of their session: a
    clock that was set back, or another server's, must not reorder a conversation."""
    of_session: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in new:
        of_session.setdefault((row["tenant"], row["session_id"]), []).append(row)
    for (tenant, session_id), rows_ in of_session.items():
        mine = sa.and_(turns.c.tenant == tenant, turns.c.session_id == session_id)
        last = connection.execute(sa.select(sa.func.max(turns.c.id)).where(mine)).scalar_one_or_none() or ""
        moved: dict[str, str] = {}
        for row in rows_:
            given = row["id"]
            if given not in moved:
                moved[given] = given if given > last or not ids.is_id(last, PREFIX) else ids.after(last, PREFIX)
                last = max(last, moved[given])
            row["id"] = moved[given]


def account(connection: sa.Connection, settled: Sequence[SessionTurn]) -> None:
    """Bring the rows of the sessions of ``settled`` up to date, in the transaction that writes their turns."""
    # Sorted, so that two transactions never wait for each other's rows in a circle.
    ordered = sorted(settled, key=lambda turn: (turn.tenant, turn.session_id))
    begun = [new_session(turn.tenant, turn.session_id, turn.at) for turn in ordered if turn.messages]
    if begun:
        connection.execute(rows.insert_new(connection, sessions), begun)
    left = sessions.c.reserved - sa.bindparam("b_reserved")
    connection.execute(
        sa.update(sessions)
        .where(sessions.c.tenant == sa.bindparam("b_tenant"), sessions.c.session_id == sa.bindparam("b_session"))
        .values(
            updated_at=sa.case(
                (sessions.c.updated_at < sa.bindparam("b_at"), sa.bindparam("b_at")), else_=sessions.c.updated_at
            ),
            spent=sessions.c.spent + sa.bindparam("b_spent"),
            reserved=sa.case((left > 0, left), else_=0),
        ),
        [
            {
                "b_tenant": turn.tenant,
                "b_session": turn.session_id,
                # An unrecorded turn leaves no trace of its time.
                "b_at": turn.at if turn.messages else 0.0,
                "b_spent": turn.spent,
                "b_reserved": turn.reserved,
            }
            for turn in ordered
        ],
    )


def new_session(tenant: str, session_id: str, at: float, forked_from: str = "") -> dict[str, Any]:
    """A row of ``sessions``."""
    owner, separator, name = session_id.partition(":")
    if not separator:
        owner, name = "", session_id
    return {
        "tenant": tenant,
        "session_id": session_id,
        "owner": owner,
        "name": name,
        "created_at": at,
        "updated_at": at,
        "forked_from": forked_from,
    }


def delete_turns(connection: sa.Connection, tenant: str, where: sa.ColumnElement[bool]) -> int:
    """Delete the tenant's matching turns, with their derived data and the texts that nothing else refers to; returns
    the number of messages."""
    contents.lock(connection)
    columns = (turns.c.session_id, turns.c.id, turns.c.content_id)
    gone = connection.execute(sa.delete(turns).where(where).returning(*columns)).all()
    touched: dict[str, set[str]] = {}
    for row in gone:
        touched.setdefault(row.session_id, set()).add(row.id)
    for session_id in sorted(touched):
        _forget_derived(connection, tenant, session_id, touched[session_id])
    contents.drop_unreferenced(connection, tenant, [row.content_id for row in gone])
    return len(gone)


def _forget_derived(connection: sa.Connection, tenant: str, session_id: str, gone: set[str]) -> None:
    def mine(table: sa.Table) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.tenant == tenant, table.c.session_id == session_id)

    # First, so that a concurrent writer of derived data waits here or has already written. The name that a user gave
    # the session may repeat its content.
    bumped = sa.update(sessions).where(mine(sessions)).values(revision=sessions.c.revision + 1, title="")
    connection.execute(bumped)
    summaries = session_summaries.c
    connection.execute(sa.delete(session_summaries).where(mine(session_summaries), summaries.upto >= min(gone)))
    for start in range(0, len(gone), 500):
        part = sorted(gone)[start : start + 500]
        connection.execute(sa.delete(turn_vectors).where(mine(turn_vectors), turn_vectors.c.id.in_(part)))
    if connection.execute(sa.select(turns.c.id).where(mine(turns)).limit(1)).first() is None:
        connection.execute(sa.delete(sessions).where(mine(sessions)))


def messages_query() -> sa.Select[Any]:
    """Turns with their texts; rows for ``turn_message``."""
    return sa.select(
        turns.c.id,
        turns.c.position,
        turns.c.at,
        turns.c.role,
        turns.c.content_id,
        turns.c.extra,
        turns.c.trace_id,
        contents_table.c.text,
    ).join(
        contents_table,
        sa.and_(contents_table.c.tenant == turns.c.tenant, contents_table.c.sha256 == turns.c.content_id),
    )


def turn_message(row: sa.Row[Any]) -> TurnMessage:
    """A row of ``messages_query``."""
    fields = rows.load(row.extra)
    calls = tuple(ToolCall(**call) for call in fields.pop("tool_calls", ()))
    images = tuple(Image(**image) for image in fields.pop("images", ()))
    message = Message(row.role, row.text, tool_calls=calls, images=images, **fields)
    return TurnMessage(row.id, row.position, row.at, row.content_id, message, row.trace_id)


def _extra(message: Message) -> str:
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    fields: Iterable[tuple[str, Any]] = (
        ("name", message.name),
        ("tool_call_id", message.tool_call_id),
        ("tool_calls", calls),
    )
    said = cards.scrubbed({key: value for key, value in fields if value})
    # No number in the bytes of a picture is a card's.
    return rows.dump(said | ({"images": [asdict(image) for image in message.images]} if message.images else {}))
