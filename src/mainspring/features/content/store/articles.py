"""Articles and their versions as rows. A key sees the articles of its owner; with the scope ``approve`` those of all
keys with its groups. Another tenant's do not exist for it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.content.tables import content_articles as articles
from mainspring.features.content.tables import content_versions as versions
from mainspring.features.content.text.article import Article, Brief, Plan, dump, read
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

PREFIX = "art_"


@dataclass(frozen=True, slots=True)
class KeptArticle:
    """An article's row; times are Unix seconds. ``run_id`` writes it."""

    tenant: str
    id: str
    owner: str
    groups: frozenset[str]
    person: str
    run_id: str
    stage: str
    brief: Brief
    plan: Plan | None
    version: int
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """One version of an article; ``change`` says what was asked for (empty: it is the first)."""

    number: int
    change: str
    article: Article
    created_at: float


class Articles:
    """The articles of all tenants."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def create(
        self, principal: Principal, brief: Brief, *, person: str = "", trace_id: str = "", article_id: str = ""
    ) -> KeptArticle:
        """A new one, durable when it returns; the one there is under ``article_id`` stays. Raises
        ``QuotaExceeded``."""
        now = time.time()
        row: dict[str, Any] = {
            "tenant": principal.tenant,
            "id": article_id or ids.new(PREFIX),
            "owner": principal.person,
            "groups": rows.names(principal.groups),
            "person": person,
            "trace_id": trace_id,
            "brief": cards.scrub_json(rows.dump(dump(brief))),
            "created_at": now,
            "updated_at": now,
        }

        def work(connection: sa.Connection) -> KeptArticle:
            mine = articles.c.tenant == principal.tenant
            there = sa.select(articles.c.id).where(mine, articles.c.id == row["id"])
            if connection.execute(there).first() is not None:
                return _seen(connection, principal, row["id"])
            if connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one() >= self._most:
                raise QuotaExceeded(f"this tenant has {self._most} articles, and may have no more")
            connection.execute(rows.insert_new(connection, articles).values(**row))
            return _seen(connection, principal, row["id"])

        return await self._database.write(work, durable=True)

    async def get(self, principal: Principal, article_id: str) -> KeptArticle:
        """Raises ``NotFound``."""
        return await self._database.read(lambda connection: _seen(connection, principal, article_id))

    async def page(self, principal: Principal, page: Page) -> Slice[KeptArticle]:
        """The visible articles by age. Raises ``InvalidRequest`` for a cursor that is no article's id."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = sa.select(articles).where(_mine(principal), articles.c.groups.in_(_visible(connection, principal)))
            return pages.read(connection, query, (articles.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_article)

    async def change(self, principal: Principal, article_id: str, **values: Any) -> None:
        """Set columns: ``run_id``, ``stage``, ``trace_id``, ``plan`` (a ``Plan``)."""
        if isinstance(plan := values.get("plan"), Plan):
            values["plan"] = cards.scrub_json(rows.dump(dump(plan)))

        def work(connection: sa.Connection) -> None:
            one = sa.and_(articles.c.tenant == principal.tenant, articles.c.id == article_id)
            connection.execute(sa.update(articles).where(one).values(updated_at=time.time(), **values))

        await self._database.write(work)

    async def put(
        self, principal: Principal, article_id: str, number: int, article: Article, change: str = ""
    ) -> KeptVersion:
        """Keep version ``number``; the one there is stays. Raises ``NotFound`` if the article is gone."""
        body = cards.scrub_json(rows.dump(dump(article)))

        def work(connection: sa.Connection) -> KeptVersion:
            found = _seen(connection, principal, article_id)
            row = {"tenant": found.tenant, "article_id": article_id, "number": number, "change": change}
            statement = rows.insert_new(connection, versions).values(**row, article=body, created_at=time.time())
            connection.execute(statement)
            one = sa.and_(articles.c.tenant == found.tenant, articles.c.id == article_id)
            values = {"version": max(found.version, number), "updated_at": time.time()}
            connection.execute(sa.update(articles).where(one).values(**values))
            return _one_version(connection, found, number)

        return await self._database.write(work, durable=True)

    async def version(self, found: KeptArticle, number: int | None = None) -> KeptVersion:
        """The version of that number, or the newest. Raises ``NotFound``."""
        return await self._database.read(lambda connection: _one_version(connection, found, number or found.version))

    async def versions(self, found: KeptArticle) -> Sequence[KeptVersion]:
        """All of them, the newest first."""

        def work(connection: sa.Connection) -> list[KeptVersion]:
            query = sa.select(versions).where(_of(found)).order_by(versions.c.number.desc())
            return [_version(row) for row in connection.execute(query)]

        return await self._database.read(work)

    async def delete(self, principal: Principal, article_id: str) -> KeptArticle:
        """Delete it with its versions. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> KeptArticle:
            found = _seen(connection, principal, article_id)
            gone(connection, found.tenant, [article_id])
            return found

        return await self._database.write(work, durable=True, frees=True)


def gone(connection: sa.Connection, tenant: str, names: Sequence[str]) -> None:
    """Delete articles with their versions."""
    for name in names:
        mine = sa.and_(versions.c.tenant == tenant, versions.c.article_id == name)
        connection.execute(sa.delete(versions).where(mine))
        connection.execute(sa.delete(articles).where(articles.c.tenant == tenant, articles.c.id == name))


def _mine(principal: Principal) -> sa.ColumnElement[bool]:
    tenant = articles.c.tenant == principal.tenant
    oversees = "approve" in principal.scopes or "admin" in principal.scopes
    return tenant if oversees else sa.and_(tenant, articles.c.owner == principal.person)


def _visible(connection: sa.Connection, principal: Principal) -> list[str]:
    """The sets of groups, as they are written, that the caller has all of."""
    lists = connection.execute(sa.select(articles.c.groups).where(_mine(principal)).distinct()).scalars()
    return [text for text in lists if frozenset(rows.load(text)) <= principal.groups]


def _seen(connection: sa.Connection, principal: Principal, article_id: str) -> KeptArticle:
    row = connection.execute(sa.select(articles).where(_mine(principal), articles.c.id == article_id)).one_or_none()
    if row is None or not frozenset(rows.load(row.groups)) <= principal.groups:
        raise NotFound(f"there is no article {article_id!r}", remedy="GET /v1/content/articles lists them", param="id")
    return _article(row)


def _article(row: sa.Row[Any]) -> KeptArticle:
    plan = rows.load(row.plan)
    values = {each.name: getattr(row, each.name) for each in dataclasses.fields(KeptArticle)}
    values |= {"groups": frozenset(rows.load(row.groups)), "brief": read(Brief, rows.load(row.brief))}
    return KeptArticle(**values | {"plan": None if plan is None else read(Plan, plan)})


def _of(found: KeptArticle) -> sa.ColumnElement[bool]:
    return sa.and_(versions.c.tenant == found.tenant, versions.c.article_id == found.id)


def _one_version(connection: sa.Connection, found: KeptArticle, number: int) -> KeptVersion:
    row = connection.execute(sa.select(versions).where(_of(found), versions.c.number == number)).one_or_none()
    if row is None:
        said = f"{found.id} has no version {number}" if number else f"{found.id} is not written yet"
        raise NotFound(said, remedy="Wait until it is completed, or look at its versions", param="version")
    return _version(row)


def _version(row: sa.Row[Any]) -> KeptVersion:
    return KeptVersion(row.number, row.change, read(Article, rows.load(row.article)), row.created_at)
