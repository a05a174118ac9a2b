"""Settled events after a position, as rows, and the groups of those who asked what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.commit_numbers as commits
import mainspring.stores.sql.rows as rows
from mainspring.core.facts.answers import GivenFacts
from mainspring.core.facts.registry import read
from mainspring.core.types import confined
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.schema import events, keys

COLUMNS = (
    *(events.c.tenant, events.c.id, events.c.at, events.c.trace_id, events.c.parent_id, events.c.kind),
    *(events.c.subject, events.c.version, events.c.consent, events.c.retention, events.c.facts),
    *(events.c.content_id, events.c.person, events.c.settled),
)
ANSWERS = ("answer", "replay")


def after(connection: sa.Connection, position: int, limit: int) -> list[sa.Row[Any]]:
    """The next events of all tenants: about ``limit``, in whole commits."""
    query: sa.Select[Any] = (
        sa.select(*COLUMNS)
        .where(commits.before_horizon(connection))
        .order_by(events.c.settled, events.c.at, events.c.id)
    )
    found = list(connection.execute(query.where(events.c.settled > position).limit(limit)))
    if len(found) == limit:
        last = found[-1].settled
        whole = [row for row in found if row.settled != last]
        found = whole or list(connection.execute(query.where(events.c.settled == last)))
    return found


def newest(connection: sa.Connection) -> int:
    """The position of the newest event; 0 if there is none."""
    query = sa.select(sa.func.max(events.c.settled)).where(commits.before_horizon(connection))
    return int(connection.execute(query).scalar() or 0)


def waiting(connection: sa.Connection, position: int) -> int:
    """How many events are settled behind a position."""
    query = sa.select(sa.func.count()).where(commits.before_horizon(connection), events.c.settled > position)
    return int(connection.execute(query.select_from(events)).scalar() or 0)


def about(connection: sa.Connection, tenant: str, subjects: Iterable[str], upto: int) -> dict[str, list[sa.Row[Any]]]:
    """All events about these subjects that are settled up to a position, by subject, by time."""
    found: dict[str, list[sa.Row[Any]]] = {}
    for part in parts(sorted(set(subjects))):
        query: sa.Select[Any] = sa.select(*COLUMNS).where(events.c.tenant == tenant, events.c.subject.in_(part))
        for row in connection.execute(query):
            if row.settled is None or row.settled <= upto:
                found.setdefault(row.subject, []).append(row)
    for each in found.values():
        each.sort(key=lambda row: (row.at, row.id))
    return found


def named(connection: sa.Connection, tenant: str, ids: Sequence[str], upto: int) -> dict[str, sa.Row[Any]]:
    """The events of these ids that are settled up to a position."""
    found: dict[str, sa.Row[Any]] = {}
    for part in parts(sorted(set(ids))):
        query: sa.Select[Any] = sa.select(*COLUMNS).where(events.c.tenant == tenant, events.c.id.in_(part))
        found.update((row.id, row) for row in connection.execute(query) if row.settled is None or row.settled <= upto)
    return found


def groups_of_keys(connection: sa.Connection, tenant: str, key_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The groups of keys, with their confinement to collections."""
    found: dict[str, tuple[str, ...]] = {}
    for part in parts(sorted(set(key_ids))):
        query = sa.select(keys.c.id, keys.c.groups, keys.c.collections)
        for row in connection.execute(query.where(keys.c.tenant == tenant, keys.c.id.in_(part))):
            theirs = confined(frozenset(rows.load(row.groups)), frozenset(rows.load(row.collections)))
            found[row.id] = tuple(sorted(theirs))
    return found


def answered(by_subject: Mapping[str, Sequence[sa.Row[Any]]]) -> dict[str, GivenFacts]:
    """The facts of the answers among these subjects, by id."""
    found: dict[str, GivenFacts] = {}
    for subject, theirs in by_subject.items():
        for row in theirs:
            if row.kind in ANSWERS and isinstance(facts := read(row.kind, rows.load(row.facts)), GivenFacts):
                found[subject] = facts
    return found


def asker_groups(
    answers: Mapping[str, GivenFacts], of_keys: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The groups of those who asked for an answer, by its id."""
    return {
        name: tuple(sorted(facts.groups)) if facts.groups is not None else of_keys.get(facts.key_id, ())
        for name, facts in answers.items()
    }
