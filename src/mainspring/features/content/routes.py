"""Routes of articles: order, show, approve, revise, export."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.agents.runs import PREFIX as RUNS
from mainspring.core.types import Context
from mainspring.features.content.export.docx import docx
from mainspring.features.content.export.html import html
from mainspring.features.content.export.markdown import markdown
from mainspring.features.content.service import Content
from mainspring.features.content.shapes import (
    ApprovePlanBody,
    ArticleBody,
    DenyPlanBody,
    ReviseBody,
    hidden,
    shown_body,
    version_body,
)
from mainspring.features.content.store.articles import PREFIX as IDS
from mainspring.features.content.write.seo import slug
from mainspring.http.access import Access, check_lasting
from mainspring.http.idempotency import Idempotency, IdempotencyKey, Makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/content/articles"
Hiding = Callable[[Context], Any]
Format = Annotated[Literal["markdown", "html", "docx"], Query(description="Format of the export")]
Number = Annotated[int | None, Query(ge=1, description="Number of the version; default: the newest")]
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FILES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/markdown": {}, "text/html": {}, DOCX: {}}}}


def router(service: Content, access: Access, idempotency: Idempotency, hiding: Hiding) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["content"], prefix=PREFIX)
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def order_article(
        http: HttpRequest, body: ArticleBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Start writing an article. It continues without a waiting client and survives a restart."""
        check_lasting(context, "an article")

        async def work() -> HttpResponse:
            return json_response(shown_body(await service.order(context, body.brief(), body.user)))

        async def found(digits: str) -> HttpResponse:
            return json_response(shown_body(await service.begun(context.principal, IDS + digits)))

        # Two things are made one after the other: the article, and the run that writes it.
        made = Makes((IDS, RUNS), found)
        return await idempotency.once(key, "content/articles", [await http.body()], context, work, makes=made)

    @routes.get("")
    async def list_articles(context: chats, page: AskedPage) -> HttpResponse:
        """Articles of this key. With the scope `approve`, articles of all keys in its groups."""
        return json_response(list_body((await service.page(context.principal, page)).map(shown_body)))

    @routes.get("/{article_id}")
    async def get_article(article_id: str, context: chats) -> HttpResponse:
        """The state of an article. When it is written, its newest version is included."""
        shown = await service.show(context.principal, article_id)
        body = shown_body(shown)
        if shown.kept.version:
            found = await service.version(context.principal, article_id, None)
            body["content"] = version_body(found, hiding(context))
        return json_response(body)

    @routes.delete("/{article_id}")
    async def delete_article(article_id: str, context: chats) -> HttpResponse:
        """Delete an article with its versions. If it is still being written, that is stopped."""
        await service.delete(context, article_id)
        return json_response({"id": article_id, "object": "content.article.deleted", "deleted": True})

    _deciding(routes, service, access)
    _versions(routes, service, access, hiding)
    return routes


def _deciding(routes: APIRouter, service: Content, access: Access) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{article_id}/approve")
    async def approve_plan(article_id: str, body: ApprovePlanBody, context: chats) -> HttpResponse:
        """Approve the plan, with or without edits. The article is then researched and written."""
        plan = None if body.plan is None else body.plan.plan()
        return json_response(shown_body(await service.approve(context, article_id, plan, body.note)))

    @routes.post("/{article_id}/deny")
    async def deny_plan(article_id: str, body: DenyPlanBody, context: chats) -> HttpResponse:
        """Deny the plan. Nothing is researched."""
        return json_response(shown_body(await service.deny(context, article_id, body.note)))

    @routes.post("/{article_id}/cancel")
    async def cancel_article(article_id: str, context: chats) -> HttpResponse:
        """Stop writing."""
        return json_response(shown_body(await service.cancel(context, article_id)))


def _versions(routes: APIRouter, service: Content, access: Access, hiding: Hiding) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{article_id}/revise")
    async def revise_article(article_id: str, body: ReviseBody, context: chats) -> HttpResponse:
        """Change one section. The article gets a new version, and earlier versions stay."""
        return json_response(version_body(await service.revise(context, article_id, body.wish()), hiding(context)))

    @routes.get("/{article_id}/versions")
    async def list_versions(article_id: str, context: chats) -> HttpResponse:
        """All versions of an article, newest first."""
        found = await service.versions(context.principal, article_id)
        return json_response({"object": "list", "data": [version_body(each, hiding(context)) for each in found]})

    @routes.get("/{article_id}/export", response_class=HttpResponse, responses=FILES)
    async def export_article(
        article_id: str,
        context: chats,
        format: Format = "markdown",  # noqa: A002
        version: Number = None,
    ) -> HttpResponse:
        """The article as a file, with its numbered sources."""
        found = await service.version(context.principal, article_id, version)
        article = hidden(found.article, hiding(context))
        name = slug(article.title)
        if format == "docx":
            data = await asyncio.to_thread(docx, article, found.created_at)
            return _file(data, DOCX, f"{name}.docx")
        if format == "html":
            return _file(html(article, found.created_at).encode(), "text/html; charset=utf-8", f"{name}.html")
        return _file(markdown(article).encode(), "text/markdown; charset=utf-8", f"{name}.md")


def _file(data: bytes, kind: str, name: str) -> HttpResponse:
    # It is a file and no page of this server: nothing in it runs with the console's rights.
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
    return HttpResponse(data, media_type=kind, headers=headers)
