"""Routes of stored chat completions, as OpenAI has them."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.types import Context, Message
from mainspring.features.completions.store import StoredCompletion, StoredCompletions
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Metadata
from mainspring.http.images import chat_content
from mainspring.http.openai import encode
from mainspring.http.openai.past_responses import answer_of, content_of, messages_of
from mainspring.http.pages import AskedPage, Cursor, cut, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.sql.pages import Page

PATH = "/v1/chat/completions"
TAG = "metadata["
Tagged = Annotated[
    str | None, Query(alias=f"{TAG}*]", description="Metadata filter; * is the name of a metadata field")
]
Limit = Annotated[int, Query(ge=1, le=100)]
Order = Annotated[Literal["asc", "desc"], Query(description="Order by the time of the answer")]
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")


class CompletionUpdateBody(Body):
    """``POST /v1/chat/completions/{id}``: replaces the metadata."""

    metadata: Metadata | None = None


def router(stored: StoredCompletions, access: Access) -> APIRouter:
    """The routes over the store."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get(PATH)
    async def list_completions(
        http: HttpRequest,
        context: chats,
        model: Annotated[str | None, Query(min_length=1, max_length=256)] = None,
        after: Cursor = None,
        limit: Limit = 20,
        order: Order = "asc",
        tagged: Tagged = None,  # noqa: ARG001
    ) -> HttpResponse:
        """Completions that this key requested with `store: true`."""
        names = [name for name in http.query_params if name.startswith(TAG)]
        tags = {name[len(TAG) : -1]: http.query_params[name] for name in names}
        found = await stored.page(context.principal, Page(limit, order, after), model, tags)
        return json_response(list_body(found.map(body_of)))

    @routes.get(f"{PATH}/{{completion_id}}")
    async def get_completion(completion_id: str, context: chats) -> HttpResponse:
        return json_response(body_of(await stored.get(completion_id, context.principal)))

    @routes.post(f"{PATH}/{{completion_id}}")
    async def update_completion(completion_id: str, body: CompletionUpdateBody, context: chats) -> HttpResponse:
        return json_response(body_of(await stored.tag(completion_id, body.metadata or {}, context.principal)))

    @routes.delete(f"{PATH}/{{completion_id}}")
    async def delete_completion(completion_id: str, context: chats) -> HttpResponse:
        await stored.delete(completion_id, context)
        return json_response({"id": completion_id, "object": "chat.completion.deleted", "deleted": True})

    @routes.get(f"{PATH}/{{completion_id}}/messages")
    async def list_messages(completion_id: str, page: AskedPage, context: chats) -> HttpResponse:
        """The request messages of a stored completion."""
        found = await stored.get(completion_id, context.principal)
        messages = [_message(found.id, number, each) for number, each in enumerate(messages_of(found.record))]
        return json_response(list_body(cut(messages, page)))

    return routes


def body_of(found: StoredCompletion) -> dict[str, Any]:
    """A ``chat.completion`` with what it was asked with."""
    answer, facts = answer_of(found.record), AnswerFacts.of(found.record.facts)
    asked = content_of(found.record)
    sampling = facts.sampling or {}
    tools = [{"type": "function", "function": tool} for tool in asked.get("tools", ())]
    return encode.chat_body(answer) | {
        "created": int(found.record.at),
        "metadata": dict(found.tags),
        "input_user": facts.user,
        "tools": tools or None,
        "tool_choice": asked.get("tool_choice"),
        **{name: sampling.get(name) for name in _SAMPLING},
    }


def _message(completion_id: str, number: int, message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": f"{completion_id}-{number}",
        "role": message.role,
        "content": chat_content(message),
        "name": message.name,
        "refusal": None,
        "content_parts": None,
    }
    if message.tool_calls:
        body["tool_calls"] = [encode.call_body(call) for call in message.tool_calls]
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body
