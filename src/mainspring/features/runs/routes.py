"""Routes of runs: begin, list and show them, watch their events, steer, fork and replay them."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse

from mainspring.agents.runs import PREFIX as IDS
from mainspring.core.types import Context
from mainspring.features.runs.service import Happening, RunService
from mainspring.features.runs.shapes import (
    DecideBody,
    ForkBody,
    RunBody,
    replay_body,
    run_body,
    step_body,
    steps_body,
)
from mainspring.features.runs.store.runs import Run, State
from mainspring.http.access import Access, check_lasting
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.openai import encode
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response, while_connected

PREFIX = "/v1/agents/runs"
_BEAT_S = 15.0
After = Annotated[int | None, Query(ge=0, description="Only events after the step with this number")]
LastEvent = Annotated[int | None, Header(alias="last-event-id", ge=0, description="Same as `after`; browsers send it")]


def router(service: RunService, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["agents"], prefix=PREFIX)
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def create_run(http: HttpRequest, body: RunBody, context: chats, key: IdempotencyKey = None) -> HttpResponse:
        """Start a run of an agent. It continues without a waiting client and survives a restart."""
        check_lasting(context, "a run")

        async def work() -> HttpResponse:
            metadata = body.metadata or {}
            return await told(
                await service.begin(context, body.request(), metadata=metadata, deadline_s=body.deadline_s)
            )

        async def told(run: Run) -> HttpResponse:
            if not body.background:
                wait = service.stopped(context.principal, run.id, context.remaining() or 0.0)
                run = await while_connected(http, wait)
            return json_response(run_body(run))

        async def shown(run_id: str) -> HttpResponse:
            return await told((await service.get(context.principal, run_id))[0])

        return await idempotency.once(key, "agents/runs", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("")
    async def list_runs(
        context: chats,
        page: AskedPage,
        status: Annotated[State | None, Query(description="Only runs in this state")] = None,
        agent: Annotated[str | None, Query(max_length=256, description="Only runs of this agent")] = None,
    ) -> HttpResponse:
        """Runs of this key. With the scope `runs`, runs of all keys in its groups."""
        found = await service.page(context.principal, page, status, agent)
        return json_response(list_body(found.map(run_body)))

    @routes.get("/{run_id}")
    async def get_run(run_id: str, context: chats) -> HttpResponse:
        run, _ = await service.get(context.principal, run_id)
        return json_response(run_body(run))

    @routes.delete("/{run_id}")
    async def delete_run(run_id: str, context: chats) -> HttpResponse:
        """Delete a run with its steps. It must stand still, and wait for nobody."""
        await service.delete(context, run_id)
        return json_response({"id": run_id, "object": "agent.run.deleted", "deleted": True})

    _watching(routes, service, access)
    _steering(routes, service, access, idempotency)
    return routes


def _watching(routes: APIRouter, service: RunService, access: Access) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get("/{run_id}/steps")
    async def list_steps(run_id: str, context: chats) -> HttpResponse:
        """All steps in the order in which they ended. Unfinished steps are last."""
        _, steps = await service.get(context.principal, run_id)
        return json_response(steps_body(steps))

    @routes.get("/{run_id}/events")
    async def watch_run(
        run_id: str, context: chats, after: After = None, last_event_id: LastEvent = None
    ) -> HttpResponse:
        """Server-sent events: `step` when a step is done, `run` when the state changes. It ends with the run."""
        await service.get(context.principal, run_id)
        first = after if after is not None else last_event_id or 0
        frames = _beating(service.happenings(context.principal, run_id, first))
        return StreamingResponse(frames, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def _steering(routes: APIRouter, service: RunService, access: Access, idempotency: Idempotency) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{run_id}/cancel")
    async def cancel_run(run_id: str, context: chats) -> HttpResponse:
        """Cancel a run. A tool call with an effect that is in progress is completed first."""
        return _told(await service.want(context.principal, run_id, "cancel"))

    @routes.post("/{run_id}/pause")
    async def pause_run(run_id: str, context: chats) -> HttpResponse:
        """Pause a run before its next step."""
        return _told(await service.want(context.principal, run_id, "pause"))

    @routes.post("/{run_id}/resume")
    async def resume_run(run_id: str, context: chats) -> HttpResponse:
        """Resume a paused, interrupted or failed run in the background."""
        return _told(await service.resume(context.principal, run_id))

    @routes.post("/{run_id}/decide")
    async def decide_step(run_id: str, body: DecideBody, context: chats) -> HttpResponse:
        """Report the outcome of an effect whose outcome is unknown. The run continues when no effect is open."""
        run = await service.decide(context, run_id, body.step, body.decision, result=body.result, note=body.note)
        return _told(run)

    @routes.post("/{run_id}/fork")
    async def fork_run(
        http: HttpRequest, run_id: str, body: ForkBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Start a new run with the first steps of this one. The last of these steps may get another outcome."""
        check_lasting(context, "a run")
        given = {"after": body.after, "outcome": body.outcome, "metadata": body.metadata}

        async def work() -> HttpResponse:
            return _told(await service.fork(context, run_id, path=body.step, **given))

        async def shown(made_id: str) -> HttpResponse:
            return _told((await service.get(context.principal, made_id))[0])

        return await idempotency.once(
            key, f"fork run {run_id}", [await http.body()], context, work, makes=makes(IDS, shown)
        )

    @routes.post("/{run_id}/replay")
    async def replay_run(run_id: str, context: chats) -> HttpResponse:
        """Replay a run from its records and compare the results. Nothing is called."""
        return json_response(replay_body(await service.replay(context, run_id)))


def _told(run: Run) -> HttpResponse:
    return json_response(run_body(run))


def frame(happening: Happening) -> bytes:
    """One server-sent event."""
    kind, number, what = happening
    body = run_body(what) if isinstance(what, Run) else step_body(what)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, kind.encode(), encode.dumps(body))


async def _beating(happenings: AsyncGenerator[Happening, None]) -> AsyncGenerator[bytes, None]:
    """Frames, with a comment after each silence."""
    coming = asyncio.ensure_future(anext(happenings, None))
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=_BEAT_S)
            if not done:
                yield b": waiting\n\n"
                continue
            found = coming.result()
            if found is None:
                return
            yield frame(found)
            coming = asyncio.ensure_future(anext(happenings, None))
    finally:
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await coming
        await happenings.aclose()
