"""OpenAI's conversations: create, read, change and delete them, and their items."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.conversations.store import PREFIX as IDS
from mainspring.features.conversations.store import Conversation, Conversations
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Metadata
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.openai.responses_items import Item, messages_of_items, whole_item
from mainspring.http.pages import Include, IncludeBrackets, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.sql.pages import Page, Slice

PREFIX = "/v1/conversations"
Items = Annotated[list[Item], Field(min_length=1, max_length=20, fail_fast=True)]


class ConversationBody(Body):
    """``POST /v1/conversations``."""

    metadata: Metadata | None = None
    items: Annotated[list[Item], Field(max_length=20, fail_fast=True)] | None = None


class ConversationUpdateBody(Body):
    """``POST /v1/conversations/{id}``."""

    metadata: Metadata | None


class ConversationItemsBody(Body):
    """``POST /v1/conversations/{id}/items``."""

    items: Items


def router(store: Conversations, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the store."""
    routes = APIRouter(route_class=JsonRoute, tags=["conversations"], prefix=PREFIX)
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def create_conversation(
        http: HttpRequest, body: ConversationBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        items = _checked(body.items or ())

        async def work() -> HttpResponse:
            return json_response(_body(await store.create(context.principal, body.metadata or {}, items)))

        async def shown(conversation_id: str) -> HttpResponse:
            return json_response(_body(await store.get(context.principal, conversation_id)))

        return await idempotency.once(key, "conversations", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("/{conversation_id}")
    async def get_conversation(conversation_id: str, context: chats) -> HttpResponse:
        return json_response(_body(await store.get(context.principal, conversation_id)))

    @routes.post("/{conversation_id}")
    async def update_conversation(conversation_id: str, body: ConversationUpdateBody, context: chats) -> HttpResponse:
        """Replace the metadata of a conversation."""
        return json_response(_body(await store.update(context.principal, conversation_id, body.metadata or {})))

    @routes.delete("/{conversation_id}")
    async def delete_conversation(conversation_id: str, context: chats) -> HttpResponse:
        """Delete a conversation with its items. Stored responses stay until you delete them."""
        await store.delete(context.principal, conversation_id)
        return json_response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})

    _items(routes, store, access)
    return routes


def _items(routes: APIRouter, store: Conversations, access: Access) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{conversation_id}/items")
    async def add_items(
        conversation_id: str,
        body: ConversationItemsBody,
        context: chats,
        include: Include = None,  # noqa: ARG001
        brackets: IncludeBrackets = None,  # noqa: ARG001
    ) -> HttpResponse:
        added = await store.add_items(context.principal, conversation_id, _checked(body.items))
        return json_response(_list(added, more=False))

    @routes.get("/{conversation_id}/items")
    async def list_items(
        conversation_id: str,
        context: chats,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
        after: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
        include: Include = None,  # noqa: ARG001
        brackets: IncludeBrackets = None,  # noqa: ARG001
    ) -> HttpResponse:
        found = await store.page(context.principal, conversation_id, Page(limit, order, after))
        return json_response(_list(found.rows, more=found.more))

    @routes.get("/{conversation_id}/items/{item_id}")
    async def get_item(
        conversation_id: str,
        item_id: str,
        context: chats,
        include: Include = None,  # noqa: ARG001
        brackets: IncludeBrackets = None,  # noqa: ARG001
    ) -> HttpResponse:
        return json_response(dict(await store.item(context.principal, conversation_id, item_id)))

    @routes.delete("/{conversation_id}/items/{item_id}")
    async def delete_item(conversation_id: str, item_id: str, context: chats) -> HttpResponse:
        """Delete an item. Returns the conversation."""
        return json_response(_body(await store.remove(context.principal, conversation_id, item_id)))


def _checked(items: Sequence[Item]) -> list[dict[str, Any]]:
    """The items as they are shown. Raises ``InvalidRequest`` and ``Unsupported`` for those that no response could
    read."""
    if items and any(each.kind != "reasoning" for each in items):
        messages_of_items(items, "items")
    return [whole_item(each) for each in items]


def _body(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": dict(conversation.metadata),
    }


def _list(bodies: Sequence[Any], *, more: bool) -> dict[str, Any]:
    return list_body(Slice([dict(each) for each in bodies], more))
