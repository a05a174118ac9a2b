"""The memory of a person: shown to its owner, who corrects it, adds to it and has it forgotten."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.memory.service import Memories
from mainspring.features.memory.store import Memory
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.pages import AskedPage, cut, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.serving.memory.recollection import Asking

PREFIX = "/v1/memories"
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Named = Annotated[str, Field(max_length=256, description="User of the application; default: the key's owner")]
User = Annotated[str, Query(max_length=256, description="User of the application; default: the key's owner")]
Session = Annotated[str, Field(max_length=256, description="Remember the fact in this session only")]


class ConsentBody(Body):
    """``PUT /v1/memories/consent``."""

    consent: bool
    user: Named = ""


class MemoryBody(Body):
    """``POST /v1/memories``."""

    text: Text
    user: Named = ""
    session_id: Session = ""


class MemoryEditBody(Body):
    """``POST /v1/memories/{memory_id}``."""

    text: Text
    user: Named = ""


class MemorySearchBody(Body):
    """``POST /v1/memories/search``."""

    query: Text
    user: Named = ""
    session_id: Annotated[str, Field(max_length=256)] = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 10


def router(service: Memories, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["memory"], prefix=PREFIX)
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get("/consent")
    async def get_consent(context: chats, user: User = "") -> HttpResponse:
        """Whether the person has agreed to the storage of facts."""
        return json_response(_consent(user, await service.consent(context, user)))

    @routes.put("/consent")
    async def put_consent(body: ConsentBody, context: chats) -> HttpResponse:
        """Give or refuse consent. A refusal deletes all memories."""
        decided = "granted" if body.consent else "refused"
        await service.decide(context, body.user, "granted" if body.consent else "refused")
        return json_response(_consent(body.user, decided))

    @routes.get("")
    async def list_memories(
        context: chats,
        page: AskedPage,
        user: User = "",
        session_id: Annotated[str | None, Query(max_length=256, description="Include memories of this session")] = None,
    ) -> HttpResponse:
        """Memories about the person, without superseded ones."""
        found = await service.store.all(context.principal, user, session_id=session_id)
        return json_response(list_body(cut([memory_body(each) for each in found], page)))

    @routes.post("/search")
    async def search_memories(body: MemorySearchBody, context: chats) -> HttpResponse:
        """Search the memories about the person, best match first."""
        asking = Asking(body.user, body.session_id)
        found = await service.search(body.query, context, asking, limit=body.limit)
        rows = [
            {"id": each.id, "object": "memory", "text": each.text, "at": int(each.at), "score": each.score}
            for each in found
        ]
        return json_response({"object": "list", "data": rows})

    @routes.post("")
    async def add_memory(body: MemoryBody, context: chats) -> HttpResponse:
        """Add a memory. It supersedes memories that it contradicts."""
        asking = Asking(body.user, body.session_id)
        kept = await service.add(body.text, context, asking, session_only=bool(body.session_id))
        return json_response(memory_body(kept.memory) | {"new": kept.new, "superseded": list(kept.superseded)})

    @routes.delete("")
    async def forget_memories(context: chats, user: User = "") -> HttpResponse:
        """Delete all memories about the person."""
        count = await service.forget_all(context, Asking(user))
        return json_response({"object": "list.deleted", "deleted": count})

    _one(routes, service, access)
    return routes


def _one(routes: APIRouter, service: Memories, access: Access) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get("/{memory_id}")
    async def get_memory(memory_id: str, context: chats, user: User = "") -> HttpResponse:
        return json_response(memory_body(await service.store.get(context.principal, user, memory_id)))

    @routes.get("/{memory_id}/history")
    async def memory_history(memory_id: str, context: chats, user: User = "") -> HttpResponse:
        """Earlier versions of a memory, newest first."""
        found = await service.store.history(context.principal, user, memory_id)
        return json_response({"object": "list", "data": [memory_body(each) for each in found]})

    @routes.post("/{memory_id}")
    async def edit_memory(memory_id: str, body: MemoryEditBody, context: chats) -> HttpResponse:
        """Replace the text of a memory. The old text stays in its history."""
        return json_response(memory_body(await service.edit(memory_id, body.text, context, Asking(body.user))))

    @routes.delete("/{memory_id}")
    async def forget_memory(memory_id: str, context: chats, user: User = "") -> HttpResponse:
        """Delete a memory with its history. It is not learned again from earlier messages."""
        await service.forget(memory_id, context, Asking(user))
        return json_response({"id": memory_id, "object": "memory.deleted", "deleted": True})


def memory_body(memory: Memory) -> dict[str, Any]:
    """A ``memory`` object."""
    return {
        "id": memory.id,
        "object": "memory",
        "text": memory.text,
        "kind": memory.kind,
        "slot": memory.slot or None,
        "origin": memory.origin,
        "session_id": memory.session_id or None,
        "answer_id": memory.answer_id or None,
        "at": int(memory.at),
        "created_at": int(memory.created_at),
        "expires_at": None if memory.expires_at is None else int(memory.expires_at),
        "superseded_by": memory.superseded_by or None,
        "superseded_at": None if memory.superseded_at is None else int(memory.superseded_at),
        "uses": memory.uses,
    }


def _consent(user: str, decided: str) -> dict[str, Any]:
    consent = {"granted": True, "refused": False}.get(decided)
    return {"object": "memory.consent", "user": user or None, "consent": consent}
