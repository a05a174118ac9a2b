"""Articles as callers see them: ordered, planned, approved, revised, exported."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring.agents.runs import BackgroundRuns
from mainspring.core.errors import Conflict, NotFound, Unsupported
from mainspring.core.types import ChatRequest, Context, Message, Principal
from mainspring.feature import Rooms
from mainspring.features.content.notebook.notebooks import Notebooks
from mainspring.features.content.settings import ContentSettings
from mainspring.features.content.store.articles import Articles, KeptArticle, KeptVersion
from mainspring.features.content.store.research import ResearchCache
from mainspring.features.content.text.article import Brief, Plan, dump
from mainspring.features.content.write.drafting import Drafter
from mainspring.features.content.write.models import Writers
from mainspring.features.content.write.pipeline import Kitchen
from mainspring.features.content.write.plan import checked
from mainspring.features.content.write.research import Researcher
from mainspring.features.content.write.revise import Revision, Wish, revised
from mainspring.stores.sql.pages import Page, Slice

Status = Literal[
    "queued", "running", "plan_pending", "completed", "denied", "failed", "cancelled", "paused", "interrupted"
]
NAME = "content"
_RUN_S = 600.0


@dataclass(frozen=True, slots=True)
class ArticleState:
    """An article with how it stands; ``approval_id`` is what its plan waits for (empty: nothing)."""

    kept: KeptArticle
    status: Status
    error: str = ""
    approval_id: str = ""


class Content:
    """The service of the feature."""

    def __init__(self, rooms: Rooms) -> None:
        settings = rooms.settings.section(ContentSettings)
        database = rooms.stores.database
        self.settings = settings
        self.articles = Articles(database, settings.max_articles)
        self.cache = ResearchCache(database, settings.cache_hours, settings.similar)
        researcher = Researcher(rooms, settings, self.cache)
        self.kitchen = Kitchen(
            rooms, settings, self.articles, researcher, Writers(rooms, settings), Drafter(rooms, settings)
        )
        self.notebooks = Notebooks(rooms, settings)
        self.runs: BackgroundRuns | None = None
        self._approvals = rooms.stores.approvals

    async def order(self, context: Context, brief: Brief, user: str) -> ArticleState:
        """Have an article written in the background. Raises ``Unsupported``, ``NotFound``, ``QuotaExceeded``."""
        self.kitchen.writers.mode(brief)
        await self.kitchen.researcher.scope(brief, context)
        person = {"person": user, "trace_id": context.trace.trace_id}
        kept = await self.articles.create(context.principal, brief, **person)
        fields = dump(brief)
        options = {name: value for name, value in fields.items() if name != "topic" and value not in (None, "", [])}
        request = ChatRequest(
            NAME, (Message("user", brief.topic),), user=user or None, options={**options, "article": kept.id}
        )
        wait = self.settings.approval_hours * 3600
        seconds = (brief.deadline_s or _RUN_S) + wait
        run_id = await self._background.begin_run(context, request, metadata={"article": kept.id}, deadline_s=seconds)
        await self.articles.change(context.principal, kept.id, run_id=run_id)
        return await self.show(context.principal, kept.id)

    async def begun(self, principal: Principal, article_id: str) -> ArticleState:
        """An article whose run has begun. Raises ``NotFound``, also for one whose process died before that."""
        kept = await self.articles.get(principal, article_id)
        if not kept.run_id:
            raise NotFound(f"the article {article_id} has not begun", param="article_id")
        return await self._shown(kept)

    async def show(self, principal: Principal, article_id: str) -> ArticleState:
        """Raises ``NotFound``."""
        return await self._shown(await self.articles.get(principal, article_id))

    async def page(self, principal: Principal, page: Page) -> Slice[ArticleState]:
        """By age."""
        found = await self.articles.page(principal, page)
        return Slice([await self._shown(each) for each in found.rows], found.more)

    async def approve(self, context: Context, article_id: str, plan: Plan | None, note: str) -> ArticleState:
        """Approve the plan, as it is or as ``plan`` says. Raises ``NotFound``, ``Conflict``, ``InvalidRequest``,
        ``Forbidden``."""
        shown = await self._waiting(context.principal, article_id)
        if plan is not None:
            edited = dataclasses.replace(checked(plan), origin="person")
            await self.articles.change(context.principal, article_id, plan=edited)
        own = self.settings.self_approval
        await self._approvals.decide(context, shown.approval_id, approve=True, note=note, own=own)
        return await self.show(context.principal, article_id)

    async def deny(self, context: Context, article_id: str, note: str) -> ArticleState:
        """Deny the plan: nothing is researched. Raises as ``approve`` does."""
        shown = await self._waiting(context.principal, article_id)
        own = self.settings.self_approval
        await self._approvals.decide(context, shown.approval_id, approve=False, note=note, own=own)
        return await self.show(context.principal, article_id)

    async def cancel(self, context: Context, article_id: str) -> ArticleState:
        """Stop writing. Raises ``NotFound``, ``Conflict`` for one that is over."""
        kept = await self.articles.get(context.principal, article_id)
        await self._background.cancel_run(context.principal, kept.run_id)
        return await self._shown(kept)

    async def revise(self, context: Context, article_id: str, wish: Wish) -> KeptVersion:
        """A new version with a section changed. Raises ``NotFound``, ``Conflict``, ``InvalidRequest``,
        ``Unsupported``."""
        kept = await self.articles.get(context.principal, article_id)
        before = await self.articles.version(kept, wish.version)
        if wish.version is not None and wish.version != kept.version:
            raise Conflict(
                f"{article_id} is at version {kept.version} now", remedy="Read it and revise again", param="version"
            )
        article = await revised(self.kitchen, Revision(kept.brief, kept.plan, before.article, wish), context)
        await self._settle(context)
        return await self.articles.put(context.principal, article_id, kept.version + 1, article, wish.told())

    async def versions(self, principal: Principal, article_id: str) -> Sequence[KeptVersion]:
        """The versions, newest first. Raises ``NotFound``."""
        return await self.articles.versions(await self.articles.get(principal, article_id))

    async def version(self, principal: Principal, article_id: str, number: int | None) -> KeptVersion:
        """One version, the newest for None. Raises ``NotFound``."""
        return await self.articles.version(await self.articles.get(principal, article_id), number)

    async def delete(self, context: Context, article_id: str) -> None:
        """Delete an article with its versions; what still writes it is stopped. Raises ``NotFound``."""
        shown = await self.show(context.principal, article_id)
        if shown.status in ("queued", "running", "plan_pending", "paused"):
            await self._background.cancel_run(context.principal, shown.kept.run_id)
        await self.articles.delete(context.principal, article_id)

    async def _waiting(self, principal: Principal, article_id: str) -> ArticleState:
        shown = await self.show(principal, article_id)
        if shown.status != "plan_pending":
            raise Conflict(
                f"the plan of {article_id} does not wait for approval: its status is {shown.status}", param="article_id"
            )
        return shown

    async def _shown(self, kept: KeptArticle) -> ArticleState:
        if not kept.run_id or self.runs is None:
            return ArticleState(kept, "completed" if kept.version else "queued")
        try:
            run = await self.runs.run_standing(kept.tenant, kept.run_id)
        except NotFound:
            return ArticleState(
                kept, "completed" if kept.version else "failed", "" if kept.version else "its run is gone"
            )
        error = run.error or {}
        if run.state == "completed":
            return ArticleState(kept, "completed" if kept.version else "denied")
        if run.state == "waiting" and error.get("approval_id"):
            return ArticleState(kept, "plan_pending", approval_id=str(error["approval_id"]))
        states: dict[str, Status] = {"waiting": "paused"}
        status: Status = states.get(run.state, run.state)  # type: ignore[arg-type]
        return ArticleState(kept, status, str(error.get("message", "")))

    async def _settle(self, context: Context) -> None:
        """Write down what models were asked outside of the request ring."""
        records = context.settlement.records
        if records:
            waiting = list(records)
            records.clear()
            await self.kitchen.rooms.stores.events.append(*waiting)

    @property
    def _background(self) -> BackgroundRuns:
        if self.runs is None:
            raise Unsupported("no runs are kept here, so articles cannot be ordered")
        return self.runs
