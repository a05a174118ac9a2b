"""Erasure in the database: texts of answers, personal facts, and conversations.

Each function works within one transaction and can be repeated. Sums of money stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.contents as contents
import mainspring.stores.sql.rows as rows
from mainspring.core.facts.derived import Eraser
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events.log import forget_verdicts
from mainspring.stores.schema import approvals, events, sessions, turns
from mainspring.stores.sessions.turns import delete_turns


def answers(connection: sa.Connection, tenant: str, ids: Sequence[str]) -> dict[str, int]:
    """Remove the texts of all events about these answers, and the personal parts of their facts, and delete the
    verdicts on them; returns the numbers of changed events and deleted texts."""
    contents.lock(connection)
    about = sa.and_(events.c.tenant == tenant, events.c.subject.in_(ids))
    # These come first, so that they are not checked.
    changed, texts = forget_verdicts(connection, about), []
    found = connection.execute(
        sa.select(events.c.id, events.c.kind, events.c.facts, events.c.content_id, events.c.person).where(about)
    )
    eraser = Eraser()
    for row in found.all():
        facts = left(eraser, row.kind, row.facts)
        if row.content_id is None and row.person == "" and facts == row.facts:
            continue
        texts.append(row.content_id)
        changed += 1
        mine = sa.update(events).where(events.c.tenant == tenant, events.c.id == row.id)
        connection.execute(mine.values(content_id=None, person="", facts=facts))
    dropped = contents.drop_unreferenced(connection, tenant, [each for each in texts if each is not None])
    return {"facts": changed, "texts": dropped}


def left(eraser: Eraser, kind: str, facts: str) -> str:
    """The facts of an event that an erasure leaves, as JSON: none of those that cannot be read."""
    try:
        return rows.dump(eraser.left(kind, rows.load(facts)))
    except (ValueError, TypeError, AttributeError):
        return "{}"


def conversations(connection: sa.Connection, tenant: str, names: Iterable[str], upto: float) -> dict[str, int]:
    """Delete the messages of sessions until ``upto`` (Unix seconds), with their derived data; returns the numbers of
    messages and of sessions that are empty now."""
    messages = gone = 0
    for part in parts(sorted(names), 100):
        mine = sa.and_(turns.c.tenant == tenant, turns.c.session_id.in_(part), turns.c.at <= upto)
        messages += delete_turns(connection, tenant, mine)
        left = sa.select(sa.literal(1)).where(
            turns.c.tenant == sessions.c.tenant, turns.c.session_id == sessions.c.session_id
        )
        # A session without turns (yet) says only its name.
        empty = sa.and_(sessions.c.tenant == tenant, sessions.c.session_id.in_(part), ~left.exists())
        connection.execute(sa.delete(sessions).where(empty))
        # The cost of their memory is recorded under their names.
        called = sa.and_(events.c.tenant == tenant, events.c.subject.in_(part), events.c.at <= upto)
        connection.execute(sa.update(events).where(called).values(subject=""))
        kept = sa.select(sa.func.count()).select_from(sessions)
        still = connection.execute(kept.where(sessions.c.tenant == tenant, sessions.c.session_id.in_(part)))
        gone += len(part) - int(still.scalar_one())
    return {"messages": messages, "sessions": gone}


def calls_that_wait(connection: sa.Connection, tenant: str, traces: Sequence[str]) -> int:
    """Empty the calls of tools in these traces that wait to be approved, or whose note may say something; how many."""
    mine = sa.and_(approvals.c.tenant == tenant, approvals.c.trace_id.in_(traces))
    said = sa.or_(approvals.c.arguments != "", approvals.c.note != "")
    ended = sa.case((approvals.c.status.in_(("pending", "approved")), "expired"), else_=approvals.c.status)
    values = {"arguments": "", "note": "", "status": ended}
    return connection.execute(sa.update(approvals).where(mine, said).values(**values)).rowcount


def of_no_answer(connection: sa.Connection, tenant: str, upto: float) -> dict[str, int]:
    """For a whole tenant: also the texts of events outside of answers."""
    contents.lock(connection)
    left = sa.and_(events.c.tenant == tenant, events.c.at <= upto, events.c.content_id.is_not(None))
    found: Sequence[Any] = connection.execute(sa.select(events.c.content_id).where(left)).scalars().all()
    connection.execute(sa.update(events).where(left).values(content_id=None))
    return {"facts": len(found), "texts": contents.drop_unreferenced(connection, tenant, found)}
