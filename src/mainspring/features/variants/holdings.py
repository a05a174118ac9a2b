"""The data of data subjects: examples in prompts, and prompts, made of their answers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.variants import placement_changes
from mainspring.features.variants.store import Change, Place, VariantMove, VariantStore
from mainspring.features.variants.tables import variant_moves, variant_places, variants
from mainspring.features.variants.values import answers_of, made_of
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.database import Database
from mainspring.training.ports import Candidate

ERASED = "a person whose words were in it was erased"
DELETED = "a document behind answers that were in it was deleted"
UNLEARNT = "the consent to learn from answers that were in it was withdrawn"
_MOVES = 1_000


class ExamplesOfPeople:
    """Examples and prompts in all tenants. A candidate that has examples of an erased person becomes one without them,
    which takes its place where it is current; under trial it is withdrawn. A prompt that was written over the person's
    answers goes. The same holds for answers over a document that is
    deleted, and for those from which nothing may be learnt any more. The event ``variant`` says which."""

    name = "variants"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database
        self._store = VariantStore(database, kept=_MOVES, moves=_MOVES)

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The examples made of the subject's answers; they are what the subject was answered."""
        del groups

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            return [
                {"type": "variant_example", "id": row.id, "application": row.application, "at": row.created_at, **each}
                for row in _found(connection, subject, held, upto)
                for each in _parts(rows.load(row.value), None if subject.kind == "tenant" else held.answers.keys())
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Take the subject's examples out. A tenant's candidates and placements are deleted."""

        def work(connection: sa.Connection) -> int:
            if subject.kind == "tenant":
                found = _found(connection, subject, held, upto)
                for table in (variants, variant_places, variant_moves):
                    connection.execute(sa.delete(table).where(table.c.tenant == subject.tenant))
                return len(found)
            return self._take_out(connection, subject.tenant, held.answers.keys(), ERASED, upto)

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """A document behind these answers is gone: so are the examples made of them."""
        await self._database.write(
            lambda connection: self._take_out(connection, tenant, frozenset(answers), DELETED), durable=True, frees=True
        )

    async def forget_documents(self, tenant: str, documents: Sequence[str]) -> None:
        """These documents or collections are gone: so are the examples that repeat their text."""
        await self.forget(tenant, documents)

    async def unlearn(self, tenant: str, answers: Sequence[str]) -> int:
        """Examples made of these answers are shown no more; the number of candidates that had some."""
        return await self._database.write(
            lambda connection: self._take_out(connection, tenant, frozenset(answers), UNLEARNT), durable=True
        )

    def _take_out(
        self, connection: sa.Connection, tenant: str, answers: Set[str], reason: str, upto: float = math.inf
    ) -> int:
        found = _with(connection, tenant, answers, upto)
        for row in found:
            self._without(connection, row, answers, reason)
        return len(found)

    def _without(self, connection: sa.Connection, row: sa.Row[Any], answers: Set[str], reason: str) -> None:
        value = rows.load(row.value)
        left = [each for each in value.get("examples", ()) if made_of(each).isdisjoint(answers)]
        other = Candidate(row.kind, row.application, {**value, "examples": left}, row.version) if left else None
        now = time.time()
        one = sa.and_(variants.c.tenant == row.tenant, variants.c.id == row.id)
        gone = {"status": "erased", "value": "{}", "subjects": "[]", "reason": reason, "updated_at": now}
        place = {"tenant": row.tenant, "application": row.application, "kind": row.kind, "version": row.version}
        if other is not None:
            subjects = sorted({name for each in left for name in made_of(each)})
            told = {"value": rows.dump(dict(other.value)), "subjects": rows.dump(subjects), "status": row.status}
            told |= {"groups": row.groups}
            told |= {"by": row.by, "reason": row.reason, "created_at": row.created_at, "updated_at": now}
            connection.execute(rows.insert_new(connection, variants), {**place, "id": other.id, **told})
        current = row.id in _current(connection, row)
        self._store.within(connection, row.tenant, row.application, _taken_out(row.id, row.kind, other, reason), "")
        if current and other is not None:
            left_of = placement_changes.instead(other.id, row.id, f"what is left of {row.id}: {reason}")
            self._store.within(connection, row.tenant, row.application, left_of, "")
        connection.execute(sa.update(variants).where(one).values(**gone))


def _parts(value: Mapping[str, Any], answers: Set[str] | None) -> Iterator[Mapping[str, Any]]:
    """What of a value is made of these answers (None: of whichever): examples, each with its ``source`` or
    ``sources``, or a text with its ``sources``."""
    yield from (each for each in value.get("examples", ()) if answers is None or answers_of(each) & answers)
    sources = [each for each in value.get("sources", ()) if answers is None or each in answers]
    if sources:
        yield {"text": value["text"], "sources": sources}


def _taken_out(candidate_id: str, kind: str, other: Candidate | None, why: str) -> Change:
    """The place without the candidate."""

    def decide(place: Place, _: Sequence[VariantMove], __: Any) -> tuple[Place, VariantMove]:
        after = place
        if place.candidate is not None and place.candidate.id == candidate_id:
            after = after.without_candidate()
        if candidate_id in place.ids:
            others = tuple(each for each in place.currents if each.id != candidate_id)
            after = replace(after.without_candidate(), currents=others)
        reason = why if other is None else f"{why}: {other.id} has the rest"
        return after, VariantMove("withdrawn", candidate_id, kind, reason=reason)

    return decide


def _current(connection: sa.Connection, row: sa.Row[Any]) -> list[str]:
    """The ids of what is current where a candidate is of."""
    mine = sa.and_(variant_places.c.tenant == row.tenant, variant_places.c.application == row.application)
    found = connection.execute(sa.select(variant_places.c.currents).where(mine)).scalar_one_or_none()
    return [] if found is None else list(rows.load(found))


def _found(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    """The candidates with examples of the subject."""
    if subject.kind == "tenant":
        query = sa.select(variants).where(variants.c.tenant == subject.tenant, variants.c.created_at <= upto)
        return list(connection.execute(query).all())
    return _with(connection, subject.tenant, held.answers.keys(), upto)


def _with(connection: sa.Connection, tenant: str, answers: Set[str], upto: float) -> list[sa.Row[Any]]:
    """The candidates with examples of these answers; a tenant has a thousand at most."""
    query = sa.select(variants).where(variants.c.tenant == tenant, variants.c.kind.in_(("examples", "prompt")))
    query = query.where(variants.c.status != "erased", variants.c.subjects != "[]")
    if upto < math.inf:
        query = query.where(variants.c.created_at <= upto)
    return [row for row in connection.execute(query).all() if answers & set(rows.load(row.subjects))]


HOLDINGS = (ExamplesOfPeople,)
