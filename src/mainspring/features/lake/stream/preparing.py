"""Events as rows of the raw zone, and the answers that they are about as rows of the clean zone.

What is wrong with one event is no matter of the others: it is set aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

import mainspring.stores.sql.rows as sql_rows
from mainspring.core.errors import StoreError
from mainspring.core.facts.answers import GivenFacts
from mainspring.core.facts.operations import ErasedFacts
from mainspring.features.lake.files import manifest
from mainspring.features.lake.files.columns import raw_row, raw_schema, table
from mainspring.features.lake.files.interaction_rows import interaction_schema
from mainspring.features.lake.files.manifest import LakeFile
from mainspring.features.lake.files.storage import SYNCED, Storage
from mainspring.features.lake.files.writing import Partition, date_of
from mainspring.features.lake.stream import events, joining, set_aside_events
from mainspring.features.lake.stream.set_aside_events import Aside, What

Row = dict[str, Any]


@dataclass(slots=True)
class Prepared:
    """The rows to write, by partition (tenant, kind, day, groups), up to a position; what is set aside of it; and what
    has become a row, or is gone, by its tenant."""

    position: int
    events: int
    raw: dict[tuple[str, str, str, tuple[str, ...]], list[Row]] = field(default_factory=lambda: defaultdict(list))
    clean: dict[tuple[str, str, tuple[str, ...]], list[Row]] = field(default_factory=lambda: defaultdict(list))
    erasures: dict[str, int] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    """Tenants that deleted a text."""
    aside: dict[tuple[str, str, str], Aside] = field(default_factory=dict)
    gone: list[Aside] = field(default_factory=list)
    """What was set aside and is no longer there."""

    def set_aside(self, found: Aside) -> None:
        """Leave it out of what is written."""
        self.aside[found.tenant, found.what, found.id] = found

    def done(self) -> Mapping[tuple[str, What], list[str]]:
        """The ids of what is written, or gone, by tenant."""
        found: dict[tuple[str, What], list[str]] = defaultdict(list)
        for (tenant, *_), theirs in self.raw.items():
            found[tenant, "event"] += [row["id"] for row in theirs]
        for (tenant, *_), theirs in self.clean.items():
            found[tenant, "answer"] += [row["answer_id"] for row in theirs]
        for each in self.gone:
            found[each.tenant, each.what].append(each.id)
        return found


def following(connection: sa.Connection, position: int, limit: int) -> Prepared | None:
    """The next events after a position: about ``limit``. None: there are none."""
    found = events.after(connection, position, limit)
    if not found:
        return None
    prepared = Prepared(found[-1].settled, len(found))
    by_tenant: dict[str, list[sa.Row[Any]]] = defaultdict(list)
    for row in found:
        by_tenant[row.tenant].append(row)
    for tenant, theirs in by_tenant.items():
        if any(row.kind == ErasedFacts.EVENT for row in theirs):
            prepared.erased.add(tenant)
        _take(connection, prepared, tenant, theirs, {row.subject for row in theirs if row.subject})
    return prepared


def again(connection: sa.Connection, position: int, due: Sequence[Aside]) -> Prepared:
    """What was set aside, as it is now."""
    prepared = Prepared(position, 0)
    for tenant in sorted({each.tenant for each in due}):
        mine = [each for each in due if each.tenant == tenant]
        found = events.named(connection, tenant, [each.id for each in mine], position)
        wanted = {each.id for each in mine if each.what == "event"}
        prepared.gone += [each for each in mine if each.id not in found]
        theirs = [row for name, row in found.items() if name in wanted]
        answers = {each.id for each in mine if each.what == "answer" and each.id in found}
        _take(connection, prepared, tenant, theirs, {row.subject for row in theirs if row.subject} | answers)
        prepared.events += len(theirs)
        # An answer whose text is no longer kept has no interaction.
        made = {row["answer_id"] for of, rows in prepared.clean.items() if of[0] == tenant for row in rows}
        left = answers - made - {name for of, what, name in prepared.aside if of == tenant and what == "answer"}
        prepared.gone += [Aside(tenant, "answer", each) for each in sorted(left)]
    return prepared


def _take(
    connection: sa.Connection, prepared: Prepared, tenant: str, theirs: Iterable[sa.Row[Any]], subjects: Collection[str]
) -> None:
    """Add the rows of the events ``theirs``, and of the answers among ``subjects``."""
    prepared.erasures[tenant] = manifest.erasures(connection, tenant)
    about = events.about(connection, tenant, subjects, prepared.position)
    answers: dict[str, GivenFacts] = {}
    unread: dict[str, str] = {}
    for subject, told in about.items():
        try:
            found = events.answered({subject: told})
            for each in found.values():
                # Files are named by these.
                hash((each.key_id, tuple(each.groups or ())))
            answers |= found
        except Exception as error:  # what is wrong with one answer has many kinds
            unread[subject] = set_aside_events.reason(error)
    of_keys = events.groups_of_keys(connection, tenant, {each.key_id for each in answers.values()})
    groups = events.asker_groups(answers, of_keys)
    for row in theirs:
        # Nobody knows who may see what is said of an answer that cannot be read.
        problem = unread.get(row.subject) or _raw(prepared, tenant, row, groups.get(row.subject, ()))
        if problem:
            prepared.set_aside(Aside(tenant, "event", row.id, problem))
    failed = dict(unread)
    by_subject = {subject: about[subject] for subject in answers}
    for made in joining.joined(connection, tenant, by_subject, groups, prepared.position, failed):
        try:
            place = tenant, date_of(made["at"]), groups.get(made["answer_id"], ())
        except Exception as error:  # times beyond the calendar have several kinds
            failed[made["answer_id"]] = set_aside_events.reason(error)
            continue
        prepared.clean[place].append(made)
    for subject, problem in failed.items():
        prepared.set_aside(Aside(tenant, "answer", subject, problem))


def _raw(prepared: Prepared, tenant: str, row: sa.Row[Any], groups: tuple[str, ...]) -> str:
    """Add the row of an event; the kind of the error, if there is one."""
    try:
        place = tenant, row.kind, date_of(row.at), groups
        prepared.raw[place].append(raw_row(_head(row), row.kind, sql_rows.load(row.facts)))
    except Exception as error:  # what is wrong with one event has many kinds
        return set_aside_events.reason(error)
    return ""


def write(storage: Storage, prepared: Prepared) -> list[LakeFile]:
    """The files, which do not count yet. Rows that their columns cannot hold are set aside. Raises ``StoreError``."""
    made: list[LakeFile | None] = []
    for (tenant, kind, date, groups), found in prepared.raw.items():
        part = Partition(tenant, "raw", kind, date, groups, SYNCED)
        made.append(_written(storage, part, raw_schema(kind), found, prepared, "event", lambda row: str(row["id"])))
    for (tenant, date, groups), found in prepared.clean.items():
        part = Partition(tenant, "clean", "", date, groups, SYNCED)
        schema = interaction_schema()
        made.append(_written(storage, part, schema, found, prepared, "answer", lambda row: str(row["answer_id"])))
    return [each for each in made if each is not None]


def _written(
    storage: Storage,
    part: Partition,
    schema: pa.Schema,
    found: list[Row],
    prepared: Prepared,
    what: What,
    name: Callable[[Row], str],
) -> LakeFile | None:
    try:
        return part.write_rows(storage, schema, found) if found else None
    except StoreError:
        raise
    except Exception:  # Arrow's conversions have errors of many kinds
        wrong = {id(row): error for row in found if (error := _unfit(schema, row))}
        if not wrong:
            raise
        for row in found:
            if id(row) in wrong:
                prepared.set_aside(Aside(part.tenant, what, name(row), wrong[id(row)]))
        found[:] = [row for row in found if id(row) not in wrong]
        return part.write_rows(storage, schema, found) if found else None


def _unfit(schema: pa.Schema, row: Row) -> str:
    try:
        table(schema, [row])
    except Exception as error:  # as above
        return set_aside_events.reason(error)
    return ""


def _head(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at,
        "trace_id": row.trace_id,
        "parent_id": row.parent_id,
        "subject": row.subject,
        "version": row.version,
        "consent": row.consent,
        "retention": row.retention,
        "person": row.person,
        "settled": row.settled,
    }
