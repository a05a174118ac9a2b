"""Routes that read, follow, cancel and delete responses, also those in the background."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.path import Answer
from mainspring.core.types import (
    Context,
    Event,
    EventRecord,
    Finish,
    Head,
    Principal,
    Reasoning,
    Response,
    Text,
    ToolCallDelta,
)
from mainspring.gateway.responses.ports import BackgroundResponses, BackgroundState
from mainspring.http.access import Access
from mainspring.http.openai import responses_encode as encode
from mainspring.http.openai import responses_stream
from mainspring.http.openai.hosted.items import ALL
from mainspring.http.openai.past_responses import PastResponses, answer_of, content_of, input_items, items_of
from mainspring.http.openai.response_ids import answer_id, response_id
from mainspring.http.openai.responses_searches import Searched
from mainspring.http.pages import AskedPage, Include, IncludeBrackets, cut, list_body
from mainspring.http.respond import json_response

PREFIX = "/v1/responses"
_INTERRUPTED = "the server stopped while this response was in progress; send the request again"


def add(routes: APIRouter, past: "Past", access: Access) -> None:
    """Add the routes of responses of the past."""
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get(f"{PREFIX}/{{response_id}}")
    async def get_response(
        response_id: str,
        context: chats,
        stream: bool = False,
        starting_after: Annotated[int | None, Query(ge=0, description="Only events behind this number")] = None,
        include: Include = None,  # noqa: ARG001
        brackets: IncludeBrackets = None,  # noqa: ARG001
        include_obfuscation: bool | None = None,  # noqa: ARG001
    ) -> HttpResponse:
        """The response; with ``stream`` its events, also those to come of one in the background."""
        if not stream:
            if starting_after is not None:
                raise InvalidRequest("starting_after needs stream: true", param="starting_after")
            return json_response(await past.body(response_id, context.principal))
        after = -1 if starting_after is None else starting_after
        return await past.events(response_id, context.principal, after)

    @routes.post(f"{PREFIX}/{{response_id}}/cancel")
    async def cancel_response(response_id: str, context: chats) -> HttpResponse:
        """Stop a response in the background; one that is over stays as it is."""
        return json_response(await past.cancel(response_id, context.principal))

    @routes.get(f"{PREFIX}/{{response_id}}/input_items")
    async def list_input_items(
        response_id: str,
        page: AskedPage,
        context: chats,
        include: Include = None,  # noqa: ARG001
        brackets: IncludeBrackets = None,  # noqa: ARG001
    ) -> HttpResponse:
        return json_response(list_body(cut(await past.items(response_id, context.principal), page)))

    @routes.delete(f"{PREFIX}/{{response_id}}")
    async def delete_response(response_id: str, context: chats) -> HttpResponse:
        await past.delete(response_id, context)
        return json_response({"id": response_id, "object": "response", "deleted": True})


class Past:
    """Responses by their ids, with a recorded answer or without one yet."""

    def __init__(self, stored: PastResponses, background: BackgroundResponses) -> None:
        self._stored = stored
        self._background = background

    async def body(self, named: str, principal: Principal) -> dict[str, Any]:
        """The response object. Raises ``NotFound``."""
        wanted = answer_id(named)
        run = self._background.run(principal, wanted)
        if run is not None and not run.over:
            return dict(run.body)
        state = await self._background.state(principal, wanted)
        if state is not None and state.is_open:
            # A response's end is sent a moment before its row says so.
            return _unanswered(state) if run is None else dict(run.body)
        try:
            body = _recorded(await self._stored.get(named, principal))
        except NotFound:
            if run is not None:
                return dict(run.body)
            if state is None:
                raise
            return _unanswered(state)
        if state is not None and state.status == "failed":
            return {**body, "status": "failed", "completed_at": None, "error": _error(state.code)}
        return body

    async def begun(self, named: str, principal: Principal) -> dict[str, Any]:
        """The response object. Raises ``NotFound``, also for one whose process died before its end: nothing of it
        stays."""
        wanted = answer_id(named)
        state = await self._background.state(principal, wanted)
        if state is not None and state.is_lost and self._background.run(principal, wanted) is None:
            try:
                await self._stored.get(named, principal)
            except NotFound:
                await self._background.forget(principal, wanted)
                raise
        return await self.body(named, principal)

    async def items(self, named: str, principal: Principal) -> list[dict[str, Any]]:
        """Its input items. Raises ``NotFound``."""
        run = self._background.run(principal, wanted := answer_id(named))
        if run is None or run.over:
            try:
                return items_of(await self._stored.get(named, principal))
            except NotFound:
                # One that was cancelled early has no answer.
                if run is None:
                    raise
        return [item for number, each in enumerate(run.said) for item in input_items(wanted, number, each)]

    async def events(self, named: str, principal: Principal, after: int) -> HttpResponse:
        """The events after the one numbered ``after``: as they were sent if they are still known, else made again from
        the record."""
        run = self._background.run(principal, answer_id(named))
        if run is not None:
            frames: AsyncIterator[responses_stream.Frame] = run.read(after)
        else:
            frames = _replayed(await self._stored.get(named, principal), after)

        async def told() -> AsyncGenerator[bytes, None]:
            async for frame in frames:
                yield responses_stream.frame_bytes(frame)

        return StreamingResponse(told(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def cancel(self, named: str, principal: Principal) -> dict[str, Any]:
        """Raises ``NotFound``, and ``InvalidRequest`` for a response that was not made in the background."""
        wanted = answer_id(named)
        state = await self._background.state(principal, wanted)
        if state is None:
            await self._stored.get(named, principal)
            raise InvalidRequest(
                "only a response with background: true can be cancelled",
                remedy="Close the connection of any other",
                param="response_id",
            )
        if state.is_open:
            await self._background.cancel(principal, wanted)
        return await self.body(named, principal)

    async def delete(self, named: str, context: Context) -> None:
        """Raises ``NotFound``."""
        state = await self._background.state(context.principal, answer_id(named))
        if state is not None:
            await self._background.forget(context.principal, answer_id(named))
        try:
            await self._stored.delete(named, context)
        except NotFound:
            if state is None:
                raise


def _recorded(record: EventRecord) -> dict[str, Any]:
    facts = AnswerFacts.of(record.facts)
    answer, shell = _made(record)
    if facts.status == "completed":
        return shell.ended(answer, at=record.at + (facts.duration_s or 0.0))
    status = "failed" if facts.status == "failed" else "cancelled"
    error = {"code": facts.error, "message": "the answer broke off"} if status == "failed" else None
    return shell.body(status, error=error, output=shell.items(answer), usage=encode.usage_body(answer.usage))


def _made(record: EventRecord) -> tuple[Answer, encode.Shell]:
    """The answer as it was shown, and the rest of its response."""
    answer, facts = answer_of(record), AnswerFacts.of(record.facts)
    previous = None if facts.previous is None else response_id(facts.previous)
    asked = {**content_of(record).get("shown", {}), "previous_response_id": previous}
    found = asked.pop(encode.SEARCHED, None)
    searched = None if found is None else Searched.of(found)
    tools, named = encode.tools_of(asked), response_id(record.subject)
    shell = encode.Shell(named, answer.head.model, record.at, asked, tools, searched, include=ALL)
    return (answer if searched is None else searched.cited(answer)), shell


def _unanswered(state: BackgroundState) -> dict[str, Any]:
    """A response without an answer that is recorded: another process makes it, or it failed before."""
    shell = encode.Shell(response_id(state.id), state.model, state.created_at, {"background": True})
    error = _error(state.code) if state.status == "failed" else None
    return shell.body(state.status, error=error)


def _error(code: str) -> dict[str, str]:
    return {"code": code, "message": _INTERRUPTED if code == "interrupted" else f"the answer failed: {code}"}


async def _replayed(record: EventRecord, after: int) -> AsyncGenerator[responses_stream.Frame, None]:
    """The events of a recorded answer, each item in one piece."""
    answer, shell = _made(record)
    response = Response(Head(answer.head.model, record.subject), _told(answer))
    async for frames in responses_stream.frames(response, shell):
        for frame in frames:
            if frame["sequence_number"] <= after:
                continue
            if frame["type"] in responses_stream.ENDS:
                frame = {**frame, "type": f"response.{(body := _recorded(record))['status']}", "response": body}
            yield frame


async def _told(answer: Answer) -> AsyncGenerator[Event, None]:
    for choice in answer.choices[:1]:
        yield Reasoning(choice.reasoning)
        place = 0
        for at, made in answer.hosted:
            yield Text(choice.text[place:at])
            yield dataclasses.replace(made, done=False)
            yield made
            place = at
        yield Text(choice.text[place:])
        for citation in answer.citations:
            yield citation
        for index, call in enumerate(choice.tool_calls):
            yield ToolCallDelta(0, index, call.id, call.name, call.arguments)
        yield answer.usage
        yield Finish(choice.finish or "stop")
