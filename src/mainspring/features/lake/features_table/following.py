"""Follows the event log: changes, present values and the position are one commit, by one process at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import sqlalchemy as sa

import mainspring.stores.sql.jobs as jobs_store
import mainspring.stores.sql.rows as rows
from mainspring.engines.base import Embedder
from mainspring.features.lake.exports.sets.rows import spoken
from mainspring.features.lake.features_table.changes import AnswerEvent, Change, changes, grown
from mainspring.features.lake.features_table.reading import EMBEDDED, as_of
from mainspring.features.lake.features_table.tables import (
    lake_feature_changes,
    lake_feature_rows,
    lake_feature_vectors,
)
from mainspring.features.lake.stream import events as stream
from mainspring.features.lake.stream.joining import texts
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events import feed
from mainspring.stores.events.feed import Feed
from mainspring.stores.events.tolerant import PASSED_OVER, facts_of
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.recurring import recurring

NAME = "lake features"
KINDS = ("answer", "retrieval", "feedback")
_PAGE = 500
_MOST_CHARACTERS = 2000
_OF = lake_feature_changes.c


class Following:
    """Keeps the table up to date."""

    def __init__(self, database: Database, embedder: Embedder | None = None) -> None:
        self._database = database
        self._feed = Feed(database)
        self._jobs = Jobs(database)
        self._embedder = embedder

    async def sync(self) -> int | None:
        """Take in all events that are settled now, imported ones too; how many. None if another process does it."""
        count = 0
        async with recurring(self._jobs, NAME) as lease:
            if lease is None:
                return None
            position = await self._begin()
            while page := await self._feed.after(position, KINDS, _PAGE, imported=True):
                about = {(each.tenant, each.id if each.kind == "answer" else each.subject) for each in page}
                last = page[-1].settled
                by_tenant = {tenant: sorted(name for of, name in about if of == tenant and name) for tenant, _ in about}
                if not await self._take(lease.job, by_tenant, last):
                    return count
                position, count = last, count + len(page)
                if lease.lost.is_set():
                    return count
            return count

    async def _begin(self) -> int:
        """A new reader of this table starts with the first event."""
        return await self._feed.begin(NAME)

    async def _take(self, lease: Job, by_tenant: Mapping[str, Sequence[str]], position: int) -> bool:
        found = await self._database.read(lambda connection: _found(connection, by_tenant, position))
        vectors = await self._vectors(found)

        def work(connection: sa.Connection) -> bool:
            if not jobs_store.lease_holds(connection, lease):
                return False
            for each in found:
                # An erasure or a withdrawal of consent may have come since they were read.
                person, consent = _asker(connection, each)
                if person == each["person"]:
                    vector = vectors.get((each["tenant"], each["answer"])) if consent else None
                    _write(connection, each, vector, self._name)
            feed.move(connection, NAME, position)
            return True

        return await self._database.write(work)

    @property
    def _name(self) -> str:
        return "" if self._embedder is None else str(getattr(self._embedder, "name", "embedder"))

    async def _vectors(self, found: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], np.ndarray[Any, Any]]:
        """The vectors of consented questions of named people."""
        wanted = [each for each in found if each["person"] and each["consent"] and each["question"]]
        if self._embedder is None or not wanted:
            return {}
        made = await self._embedder.embed([each["question"][:_MOST_CHARACTERS] for each in wanted], "query")
        pairs = zip(wanted, np.asarray(made.vectors, np.float32), strict=True)
        return {(each["tenant"], each["answer"]): vector for each, vector in pairs}


def _found(connection: sa.Connection, by_tenant: Mapping[str, Sequence[str]], position: int) -> list[dict[str, Any]]:
    """All that is known of these answers up to a position. One that cannot be read is passed over."""
    made = []
    for tenant, names in by_tenant.items():
        for answer, theirs in stream.about(connection, tenant, names, position).items():
            try:
                found = _of_answer(connection, tenant, answer, theirs)
            except sa.exc.SQLAlchemyError:
                raise
            except Exception as error:  # what is wrong with one answer has many kinds
                PASSED_OVER.note(NAME, answer, error)
                continue
            if found is not None:
                made.append(found)
    return made


def _of_answer(
    connection: sa.Connection, tenant: str, answer: str, theirs: Sequence[sa.Row[Any]]
) -> dict[str, Any] | None:
    own = next((row for row in theirs if row.kind == "answer"), None)
    if own is None:
        return None
    said = texts(connection, tenant, [own.content_id] if own.content_id else []).get(own.content_id or "", "{}")
    content = orjson.loads(said)
    cited = [str(each.get("document_id")) for each in content.get("citations") or () if each.get("document_id")]
    told = [AnswerEvent(row.id, row.at, facts_of(row, NAME)) for row in theirs if row.kind in KINDS]
    asked = [each for each in content.get("messages") or () if each.get("role") == "user"]
    return {
        "tenant": tenant,
        "answer": answer,
        "at": own.at,
        "person": own.person,
        "consent": own.consent,
        "question": spoken(asked[-1].get("content")) if asked else "",
        "changes": list(changes(told, own.person, cited)),
    }


def _asker(connection: sa.Connection, found: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The person who asked, and whether the answer may be used for learning, as it is now."""
    query = sa.select(events.c.person, events.c.consent)
    row = connection.execute(
        query.where(events.c.tenant == found["tenant"], events.c.id == found["answer"])
    ).one_or_none()
    return (None, False) if row is None else (row.person, bool(row.consent))


def _write(
    connection: sa.Connection, found: Mapping[str, Any], vector: np.ndarray[Any, Any] | None, embedder: str
) -> None:
    tenant, answer = found["tenant"], found["answer"]
    known = sa.select(_OF.entity, _OF.id, _OF.event_id, _OF.name)
    there = {tuple(row) for row in connection.execute(known.where(_OF.tenant == tenant, _OF.answer_id == answer))}
    new = [each for each in found["changes"] if (each.entity, each.id, each.event_id, each.name) not in there]
    by_entity: dict[tuple[str, str], list[Change]] = {}
    for each in new:
        by_entity.setdefault((each.entity, each.id), []).append(each)
    if new:
        connection.execute(
            sa.insert(lake_feature_changes),
            [
                {
                    "tenant": tenant,
                    "entity": each.entity,
                    "id": each.id,
                    "event_id": each.event_id,
                    "name": each.name,
                    "answer_id": answer,
                    "at": each.at,
                    "value": each.value,
                }
                for each in new
            ],
        )
    if vector is not None and ("user", found["person"]) not in by_entity:
        vector = None
    if vector is not None:
        row = {"tenant": tenant, "id": found["person"], "answer_id": answer, "at": found["at"], "embedder": embedder}
        connection.execute(
            rows.insert_new(connection, lake_feature_vectors), {**row, "vector": vector.astype(np.float32).tobytes()}
        )
    for (entity, name), theirs in by_entity.items():
        asked = any(each.name == "questions" for each in theirs)
        _grow(connection, tenant, entity, name, theirs, vector if entity == "user" and asked else None, embedder)


def _grow(
    connection: sa.Connection,
    tenant: str,
    entity: str,
    name: str,
    new: Sequence[Change],
    vector: np.ndarray[Any, Any] | None,
    embedder: str,
) -> None:
    of = lake_feature_rows.c
    mine = sa.and_(of.tenant == tenant, of.entity == entity, of.id == name)
    row = connection.execute(sa.select(lake_feature_rows).where(mine)).one_or_none()
    features = grown(entity, {} if row is None else rows.load(row.features), new)
    values: dict[str, Any] = {"updated_at": time.time()}
    if vector is not None:
        # Vectors of another model are not added to.
        same = row is not None and row.vector is not None and row.embedder == embedder
        before = np.frombuffer(row.vector, np.float32) if row is not None and same else np.zeros_like(vector)
        features[EMBEDDED] = features.get(EMBEDDED, 0.0) * same + 1
        values |= {"vector": (before + vector).astype(np.float32).tobytes(), "embedder": embedder}
    values["features"] = rows.dump(features)
    if row is None:
        connection.execute(sa.insert(lake_feature_rows), {"tenant": tenant, "entity": entity, "id": name, **values})
    else:
        connection.execute(sa.update(lake_feature_rows).where(mine).values(**values))


def forget(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> int:
    """Take out all changes by these answers, and count what they were of again; how many changes went."""
    touched: set[tuple[str, str]] = set()
    count = 0
    for part in parts(answers):
        mine = sa.and_(_OF.tenant == tenant, _OF.answer_id.in_(part))
        touched |= {(row.entity, row.id) for row in connection.execute(sa.select(_OF.entity, _OF.id).where(mine))}
        count += connection.execute(sa.delete(lake_feature_changes).where(mine)).rowcount
        of = lake_feature_vectors.c
        connection.execute(sa.delete(lake_feature_vectors).where(of.tenant == tenant, of.answer_id.in_(part)))
    for entity, name in sorted(touched):
        _again(connection, tenant, entity, name)
    return count


def unlearn(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> None:
    """Take out the vectors of these answers' questions; what is counted stays."""
    people: set[str] = set()
    of = lake_feature_vectors.c
    for part in parts(answers):
        mine = sa.and_(of.tenant == tenant, of.answer_id.in_(part))
        people.update(connection.execute(sa.delete(lake_feature_vectors).where(mine).returning(of.id)).scalars())
    for name in sorted(people):
        _again(connection, tenant, "user", name)


def _again(connection: sa.Connection, tenant: str, entity: str, name: str) -> None:
    of = lake_feature_rows.c
    mine = sa.and_(of.tenant == tenant, of.entity == entity, of.id == name)
    embedder = connection.execute(sa.select(of.embedder).where(mine)).scalar_one_or_none() or ""
    left = as_of(connection, tenant, entity, name, None, embedder)
    connection.execute(sa.delete(lake_feature_rows).where(mine))
    if left.features:
        summed = None if left.embedding is None else left.embedding * left.embedded
        features = left.features | ({EMBEDDED: left.embedded} if left.embedded else {})
        values: dict[str, Any] = {"tenant": tenant, "entity": entity, "id": name, "features": rows.dump(features)}
        values |= {"embedder": embedder, "vector": None if summed is None else summed.astype(np.float32).tobytes()}
        connection.execute(sa.insert(lake_feature_rows), {**values, "updated_at": time.time()})
