"""Articles, research and notebooks of data subjects, and articles made of answers that are forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.content.store import articles as store
from mainspring.features.content.tables import (
    content_articles,
    content_notebooks,
    content_recordings,
    content_research,
    content_versions,
)
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.schema import events, keys
from mainspring.stores.sql.database import Database

_KEPT = (content_research, content_notebooks, content_recordings)


class WrittenContent:
    """Articles with their versions, cached research, notebooks and spoken summaries, in all tenants."""

    name = "content"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Articles and notebooks, of keys whose groups are among ``groups``. Research is derived of documents, and
        recordings of notebooks."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found: list[Mapping[str, Any]] = []
            for row in _rows(connection, content_articles, subject, held, upto):
                if groups is None or frozenset(rows.load(row.groups)) <= groups:
                    mine = sa.and_(content_versions.c.tenant == subject.tenant, content_versions.c.article_id == row.id)
                    texts = connection.execute(sa.select(content_versions.c.article).where(mine)).scalars()
                    brief = {"brief": rows.load(row.brief), "plan": rows.load(row.plan)}
                    versions = [rows.load(text) for text in texts]
                    about = {"id": row.id, "at": row.created_at, **brief, "versions": versions}
                    found.append({"type": "content_article", **about})
            for row in _rows(connection, content_notebooks, subject, held, upto):
                if groups is None or frozenset(rows.load(row.groups)) <= groups:
                    about = {"name": row.name, "documents": rows.load(row.documents)}
                    found.append({"type": "content_notebook", "id": row.id, "at": row.created_at, **about})
            return found

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete all of them; how many articles and notebooks. Can be done again."""

        def work(connection: sa.Connection) -> int:
            names = [row.id for row in _rows(connection, content_articles, subject, held, upto)]
            store.gone(connection, subject.tenant, names)
            count = len(names)
            for table in _KEPT:
                found = [row.id for row in _rows(connection, table, subject, held, upto)]
                for part in parts(found):
                    mine = sa.and_(table.c.tenant == subject.tenant, table.c.id.in_(part))
                    connection.execute(sa.delete(table).where(mine))
                count += len(found) if table is content_notebooks else 0
            return count

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """Delete the articles and recordings of these answers, and the tenant's cached research, which may repeat the
        same documents."""

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(content_research).where(content_research.c.tenant == tenant))
            for part in parts(answers):
                traces = sa.select(events.c.trace_id).where(
                    events.c.tenant == tenant, events.c.subject.in_(part), events.c.trace_id != ""
                )
                mine = sa.select(content_articles.c.id).where(
                    content_articles.c.tenant == tenant, content_articles.c.trace_id.in_(traces)
                )
                store.gone(connection, tenant, list(connection.execute(mine).scalars()))

        await self._database.write(work, durable=True, frees=True)


def _rows(
    connection: sa.Connection, table: sa.Table, subject: Subject, held: SubjectData, upto: float
) -> list[sa.Row[Any]]:
    """The subject's rows of ``table``, each once."""
    query = sa.select(table).where(table.c.tenant == subject.tenant, table.c.created_at <= upto)
    conditions: list[sa.ColumnElement[bool]] = []
    if subject.kind == "tenant":
        conditions = [sa.true()]
    elif subject.kind == "key":
        owner = sa.select(keys.c.identity).where(keys.c.tenant == subject.tenant, keys.c.id == subject.id)
        names = {subject.id, connection.execute(owner).scalar_one_or_none() or subject.id}
        conditions = [table.c.owner.in_(sorted(names))]
    elif subject.kind == "user" and "person" in table.c:
        conditions = [sa.and_(table.c.person == subject.id, table.c.person != "")]
    if "trace_id" in table.c:
        traces = sorted({each.trace_id for each in held.answers.values() if each.trace_id})
        conditions += [table.c.trace_id.in_(part) for part in parts(traces)]
    found: dict[str, sa.Row[Any]] = {}
    for condition in conditions:
        for row in connection.execute(query.where(condition)):
            found[row.id] = row
    return list(found.values())


HOLDINGS = (WrittenContent,)
