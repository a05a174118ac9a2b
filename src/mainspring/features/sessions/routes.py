"""Routes of sessions: list, search, read, name, fork, export and delete conversations.

A session belongs to a tenant and to exactly one set of groups; keys of any other set do not see it. One whose id begins
with ``own:`` belongs to the key that asks, or the user, alone. It comes to be with its first answer (``session_id`` of
a chat request).
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core import cards
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Context
from mainspring.http.access import Access, acting
from mainspring.http.bodies import Body
from mainspring.http.idempotency import Idempotency, IdempotencyKey
from mainspring.http.images import chat_content
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.serving.memory import notes
from mainspring.serving.memory.layer import OWN, owner, stored_name
from mainspring.stores.sessions.answers import SessionAnswer, SessionAnswers
from mainspring.stores.sessions.conversations import PART, SessionInfo, Sessions
from mainspring.stores.sessions.turns import TurnMessage
from mainspring.stores.sql.pages import Page

PREFIX = "/v1/sessions"
EXPORTS: dict[int | str, dict[str, Any]] = {200: {"content": {"application/jsonl": {}, "text/markdown": {}}}}
SessionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
Format = Annotated[Literal["jsonl", "markdown"], Query(description="One JSON message per line, or readable text")]

Words = Annotated[
    str | None, Query(min_length=1, max_length=256, description="Search words; each must be in the title or a message")
]
Own = Annotated[bool, Query(description="Only sessions of this key or user; their IDs begin with own:")]
PartOf = Annotated[str | None, Query(min_length=1, max_length=128, description="ID of one of your own sessions")]
Include = Annotated[Literal["answers"] | None, Query(description="Include the records of answers")]


class ForkBody(Body):
    """``POST /v1/sessions/{id}/fork``: the name of the new session, and the last turn that it copies."""

    session_id: SessionName
    turn_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class SessionBody(Body):
    """``POST /v1/sessions/{id}``: the title of the session; empty: taken from its first message."""

    title: Annotated[str, Field(max_length=200)]


def router(
    sessions: Sessions, access: Access, idempotency: Idempotency, answers: SessionAnswers | None = None
) -> APIRouter:
    """The routes over the store of sessions, and over the records of their answers."""
    routes = APIRouter(route_class=JsonRoute, tags=["sessions"], prefix=PREFIX)
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get("")
    async def list_sessions(
        context: chats, page: AskedPage, q: Words = None, own: Own = False, part_of: PartOf = None
    ) -> HttpResponse:
        """Sessions of the key's groups, or its own, ordered by start time. Parts of other sessions are not listed;
        searches include them, and `part_of` lists them."""
        if part_of is not None and not part_of.startswith(OWN):
            raise InvalidRequest(f"only sessions that begin with {OWN} have parts", param="part_of")
        own = own or part_of is not None
        found = await sessions.page(
            context.principal.tenant,
            owner(context.principal, own=own),
            page,
            words=q or "",
            part_of=part_of,
            whole=own and part_of is None,
        )
        return json_response(list_body(found.map(session_body)))

    @routes.get("/{session_id}")
    async def get_session(session_id: str, context: chats) -> HttpResponse:
        return json_response(session_body(await sessions.get(*_place(context, session_id))))

    @routes.post("/{session_id}/fork", status_code=201)
    async def fork(
        http: HttpRequest, session_id: str, body: ForkBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Create a new session that starts with the turns of this one."""

        cards.refuse(body.session_id, "session_id")

        async def work() -> HttpResponse:
            into = stored_name(context.principal, body.session_id)
            made = await sessions.fork(*_place(context, session_id), into, upto=body.turn_id)
            return json_response(session_body(made), status=201)

        return await idempotency.once(key, f"fork {session_id}", [await http.body()], context, work)

    @routes.delete("/{session_id}")
    async def delete_session(session_id: str, context: chats) -> HttpResponse:
        """Delete a session with its parts: turns, summary, embeddings, and the recorded texts of its answers."""
        place = _place(context, session_id)
        await sessions.get(*place)
        for part in await _parts(sessions, context, session_id):
            await sessions.delete(*_place(context, part), by=acting(context))
        await sessions.delete(*place, by=acting(context))
        return json_response({"id": session_id, "object": "session", "deleted": True})

    _told(routes, sessions, access, answers)
    return routes


async def _parts(sessions: Sessions, context: Context, session_id: str) -> list[str]:
    """The names of the sessions that are parts of one of the caller's own."""
    if not session_id.startswith(OWN) or PART in session_id:
        return []
    found: list[str] = []
    mine, more = owner(context.principal, own=True), True
    while more:
        page = Page(100, after=found[-1] if found else None)
        part = await sessions.page(context.principal.tenant, mine, page, part_of=session_id)
        found += [each.name for each in part.rows]
        more = part.more
    return found


def _told(routes: APIRouter, sessions: Sessions, access: Access, answers: SessionAnswers | None) -> None:
    """The routes of a session's content and name."""
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{session_id}")
    async def entitle(session_id: str, body: SessionBody, context: chats) -> HttpResponse:
        """Set the title of a session."""
        title = " ".join(cards.scrub(body.title).split())
        return json_response(session_body(await sessions.entitle(*_place(context, session_id), title)))

    @routes.get("/{session_id}/messages")
    async def list_messages(session_id: str, context: chats, page: AskedPage, include: Include = None) -> HttpResponse:
        """The messages in pages. An ID is the turn's ID and the position in it. With `include=answers`, the records of
        answers are included if the key may see their sources."""
        place = _place(context, session_id)
        await sessions.get(*place)
        found = await sessions.messages(*place, page)
        recorded = await answers.of(context.principal, found.rows) if include and answers is not None else {}

        def body(said: TurnMessage) -> dict[str, Any]:
            answer = recorded.get(said.turn) if said.message.role == "assistant" else None
            return message_body(said) | ({} if answer is None else {"answer": answer_body(answer)})

        return json_response(list_body(found.map(body)))

    @routes.get("/{session_id}/summary")
    async def get_summary(session_id: str, context: chats) -> HttpResponse:
        """The notes about turns that are no longer in the model's context, each with its turn."""
        place = _place(context, session_id)
        await sessions.get(*place)
        summary = (await sessions.read(*place, limit=1, summary=True)).summary
        if summary is None:
            raise NotFound(f"session {session_id!r} has no summary yet", remedy="Short sessions have no summary")
        return json_response(summary_body(session_id, summary))

    @routes.get("/{session_id}/export", response_class=HttpResponse, responses=EXPORTS)
    async def export(session_id: str, context: chats, format: Format = "jsonl") -> HttpResponse:  # noqa: A002
        place = _place(context, session_id)
        info = await sessions.get(*place)
        said = await sessions.all_messages(*place)
        text, kind = exported((info.title or session_id) if format == "markdown" else session_id, said, format)
        return HttpResponse(text.encode("utf-8", "replace"), media_type=kind)


def session_body(info: SessionInfo) -> dict[str, Any]:
    """A session as JSON."""
    return {
        "id": info.name,
        "object": "session",
        "created_at": info.created_at,
        "updated_at": info.updated_at,
        "turns": info.turns,
        "messages": info.messages,
        "spent_tokens": info.spent,
        "title": info.title or None,
        "begins": info.begins,
        "forked_from": info.forked_from or None,
        "summarised_to": info.summarised or None,
    }


def message_body(said: TurnMessage) -> dict[str, Any]:
    """A message as JSON."""
    message = said.message
    body: dict[str, Any] = {
        "id": f"{said.turn}:{said.position}",
        "object": "session.message",
        "turn_id": said.turn,
        "trace_id": said.trace_id or None,
        "created_at": said.at,
        "role": message.role,
        "content": chat_content(message),
    }
    if message.name is not None:
        body["name"] = message.name
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return body


def answer_body(answer: SessionAnswer) -> dict[str, Any]:
    """The record of an answer as JSON."""
    facts = answer.facts
    return {
        "id": answer.answer_id,
        "requested": facts.requested or None,
        "model": facts.model or None,
        "cache": facts.cache or None,
        "answered": facts.answered,
        "finish_reason": next(iter(facts.finish), None),
        "prompt_tokens": facts.prompt_tokens,
        "completion_tokens": facts.completion_tokens,
        "duration_s": facts.duration_s,
        "ttft_s": facts.ttft_s,
        "citations": answer.citations,
        "rating": answer.rating or None,
    }


def summary_body(name: str, summary: Any) -> dict[str, Any]:
    """A summary with where it comes from."""
    found = notes.load(summary.notes)
    return {
        "object": "session.summary",
        "session_id": name,
        "method": summary.method,
        "created_at": summary.made_at,
        "covers": {"turns": summary.turns, "to_turn_id": summary.upto},
        "text": found.wrote or None,
        "notes": [
            {"turn_id": each.turn, "role": each.speaker, "text": each.text, "weight": each.weight}
            for each in found.notes
        ],
    }


def exported(name: str, said: Sequence[TurnMessage], form: str) -> tuple[str, str]:
    """The conversation as text, and its media type."""
    if form == "jsonl":
        lines = [json.dumps(message_body(each), ensure_ascii=False) for each in said]
        return "".join(f"{line}\n" for line in lines), "application/jsonl"
    parts = [f"# Session {name}\n"]
    turn = ""
    for each in said:
        if each.turn != turn:
            turn = each.turn
            parts.append(f"\n## {turn}\n")
        calls = "".join(f"\n`{call.name}({call.arguments})`" for call in each.message.tool_calls)
        parts.append(f"\n**{each.message.role}**\n\n{each.message.content}{calls}\n")
    return "".join(parts), "text/markdown"


def _place(context: Context, session_id: str) -> tuple[str, str]:
    return context.principal.tenant, stored_name(context.principal, session_id)
