"""Routes of replays: a recorded request asked again, and both answers side by side; many of them as a batch.

A replay needs the scope ``replay`` and asks as its caller: with the caller's groups, limits and budgets. A request that
the caller may not see does not exist for it.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Forbidden, InvalidRequest, NotFound
from mainspring.core.facts.answers import GivenFacts, ReplayFacts
from mainspring.core.scopes import OPERATE
from mainspring.core.types import Context, EventRecord, TraceParent
from mainspring.features.replays.agreement import words
from mainspring.features.replays.recorded_requests import Changes
from mainspring.features.replays.service import Filter, Replay, Replays, Side
from mainspring.http.access import Access, check_lasting
from mainspring.http.bodies import Body, Name
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.openai.requests import PromptBody
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response, while_connected
from mainspring.stores.sql import ids
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.pages import Page

PREFIX = "/v1/replays"
BATCH = "rpb_"
KIND = "replay"
MOST = 1000
NANO = 1e9
Identifier = Annotated[str, Field(min_length=1, max_length=128)]


class Parameters(Body):
    """Changes of sampling; the names are those of chat completions."""

    max_tokens: Annotated[int, Field(gt=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None


class FilterBody(Body):
    """Selects answers: the latest ``limit`` answers that match all given fields. ``since`` is in Unix seconds."""

    since: Annotated[float, Field(ge=0, le=9e9, allow_inf_nan=False)] | None = None
    model: Name | None = None
    feedback: Literal["up", "down"] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = 20


class ReplayBody(Body):
    """``POST /v1/replays``: exactly one of ``trace_id``, ``answer_id`` and ``filter``, and the changes."""

    trace_id: Identifier | None = None
    answer_id: Identifier | None = None
    filter: FilterBody | None = None
    model: Name | None = None
    prompt: PromptBody | None = None
    policy: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    parameters: Parameters | None = None

    def changes(self) -> Changes:
        """Raises ``InvalidRequest`` naming a variable of the prompt."""
        return Changes(
            self.model or "",
            None if self.prompt is None else self.prompt.use(),
            self.policy or "",
            {} if self.parameters is None else self.parameters.model_dump(exclude_none=True),
        )

    def check(self) -> None:
        """Raises ``InvalidRequest`` unless exactly one thing to replay is named."""
        if sum(each is not None for each in (self.trace_id, self.answer_id, self.filter)) != 1:
            raise InvalidRequest("send exactly one of trace_id, answer_id and filter", param="trace_id")


def router(replays: Replays, jobs: Jobs, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over ``replays``; batches are ``jobs``."""
    routes = APIRouter(route_class=JsonRoute, tags=["replays"], prefix=PREFIX)
    players = Annotated[Context, Depends(access("replay"))]

    @routes.post("", status_code=201, responses={202: {"description": "The batch, queued"}})
    async def create_replay(
        http: HttpRequest, body: ReplayBody, context: players, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Replay a request now and return both answers. With `filter`, queue a batch (202)."""
        body.check()
        if body.policy is not None and OPERATE not in context.principal.scopes:
            raise Forbidden(
                "only operators of the server choose the guard policy of a replay",
                remedy=f"Leave policy out, or ask an operator (scope {OPERATE!r})",
            )

        async def work() -> HttpResponse:
            if body.filter is not None:
                return await _queue(replays, jobs, body, body.filter, context)
            answer = body.answer_id or await replays.answer_of(str(body.trace_id), context.principal)
            made = await while_connected(http, replays.run(answer, body.changes(), context))
            return json_response(replay_body(made), status=201)

        async def shown(batch_id: str) -> HttpResponse:
            queued = await batch_body(replays, await _job(jobs, batch_id, context), context)
            return json_response(queued, status=202)

        return await idempotency.once(key, "replays", [await http.body()], context, work, makes=makes(BATCH, shown))

    @routes.get("")
    async def list_replays(
        context: players, page: AskedPage, batch: Annotated[str | None, Query(max_length=128)] = None
    ) -> HttpResponse:
        """The caller's replays, or those of one batch, without texts. Admins get all that their groups may see."""
        trace = None if batch is None else str((await _job(jobs, batch, context)).payload["trace_id"])
        return json_response(list_body((await replays.page(context.principal, page, trace)).map(listed_body)))

    @routes.get("/{replay_id}")
    async def get_replay(replay_id: str, context: players) -> HttpResponse:
        """Both answers of a replay side by side, or the progress and result of a batch."""
        if replay_id.startswith(BATCH):
            return json_response(await batch_body(replays, await _job(jobs, replay_id, context), context))
        return json_response(replay_body(await replays.get(replay_id, context.principal)))

    @routes.post("/{batch_id}/cancel")
    async def cancel_batch(batch_id: str, context: players) -> HttpResponse:
        """Stop a batch after its current request."""
        job = await _job(jobs, batch_id, context)
        await jobs.cancel(job.tenant, job.id)
        return json_response(await batch_body(replays, await jobs.get(job.tenant, job.id), context))

    return routes


async def _queue(replays: Replays, jobs: Jobs, body: ReplayBody, wanted: FilterBody, context: Context) -> HttpResponse:
    check_lasting(context, "a batch of replays")
    changes, principal = body.changes(), context.principal
    filtered = Filter(wanted.since, wanted.model or "", wanted.feedback, wanted.limit)
    answers = [each.id for each in await replays.matching(filtered, principal)]
    batch_id = ids.new(BATCH)
    payload = {
        # The replays are found by this separate trace.
        "trace_id": TraceParent.new().trace_id,
        "key_id": principal.key_id,
        "answers": answers,
        "changes": dataclasses.asdict(changes),
        "filter": wanted.model_dump(exclude_none=True),
    }
    await jobs.submit(principal.tenant, batch_id, KIND, payload)
    return json_response(await batch_body(replays, await jobs.get(principal.tenant, batch_id), context), status=202)


async def _job(jobs: Jobs, batch_id: str, context: Context) -> Job:
    principal = context.principal
    unknown = NotFound(f"there is no batch of replays {batch_id!r}", param="batch")
    try:
        job = await jobs.get(principal.tenant, batch_id)
    except NotFound:
        raise unknown from None
    if job.kind != KIND or ("admin" not in principal.scopes and job.payload["key_id"] not in principal.own_keys):
        raise unknown
    return job


async def batch_body(replays: Replays, job: Job, context: Context) -> dict[str, Any]:
    """How far a batch is, and its sums so far."""
    rows: list[EventRecord] = []
    page = Page(100, "asc")
    while True:
        found = await replays.page(context.principal, page, str(job.payload["trace_id"]))
        rows += found.rows
        if not found.more or not found.rows:
            break
        page = Page(100, "asc", after=found.rows[-1].id)
    told = [GivenFacts.of(each.facts) for each in rows]
    done = [each for each in told if each.status == "completed"]
    agreed = await replays.agreements(context.principal.tenant, str(job.payload["trace_id"]))
    similar = [each.similarity for each in agreed if each.similarity is not None]
    return {
        "id": job.id,
        "object": "replay.batch",
        "status": {"done": "completed", "waiting": "queued"}.get(job.state, job.state),
        "error": job.error or None,
        "created_at": job.created_at,
        "filter": job.payload["filter"],
        "counts": {
            "total": len(job.payload["answers"]),
            "completed": len(done),
            "not_replayed": len(rows) - len(done),
        },
        "summary": {
            "exact": sum(bool(each.exact) for each in agreed),
            "mean_similarity": round(sum(similar) / len(similar), 4) if similar else None,
            "tokens": sum(each.spent_tokens for each in done),
            "cost_usd": sum(each.cost_nanousd for each in done) / NANO,
        },
    }


def listed_body(record: EventRecord) -> dict[str, Any]:
    """A replay in a list."""
    facts = ReplayFacts.of(record.facts)
    body: dict[str, Any] = {
        "id": record.id,
        "object": "replay",
        "created_at": record.at,
        "of": record.parent_id,
        "trace_id": record.trace_id,
        "status": facts.status,
        "model": facts.model or facts.requested,
    }
    if facts.status == "skipped":
        body["error"] = {"code": facts.error, "message": facts.message}
    return body


def replay_body(replay: Replay) -> dict[str, Any]:
    """Both answers, and where they differ."""
    made, original = replay.replay, replay.original
    texts = None if original is None or None in (original.content, made.content) else (original.text, made.text)
    return listed_body(made.answer) | {
        "original": None if original is None else side_body(original),
        "replay": side_body(made),
        "diff": None if texts is None else [{"kind": each.kind, "text": each.text} for each in words(*texts)],
        "agreement": None if replay.agreement is None else dataclasses.asdict(replay.agreement),
        "notices": [*replay.notices, *_missing(replay)],
    }


def _missing(replay: Replay) -> Sequence[str]:
    told = []
    if replay.original is None:
        told.append("the original is not there any more, or not for this key")
    elif replay.original.content is None:
        told.append("the text of the original is not kept any more")
    if replay.replay.content is None and GivenFacts.of(replay.replay.answer.facts).status != "skipped":
        told.append("the text of the replay is not kept any more")
    return told


def side_body(side: Side) -> dict[str, Any]:
    """One of both answers."""
    facts, content = GivenFacts.of(side.answer.facts), side.content
    choices = [] if content is None else content.get("choices", [])
    return {
        "answer_id": side.answer.id,
        "trace_id": side.answer.trace_id,
        "created_at": side.answer.at,
        "status": facts.status,
        "requested": facts.requested or None,
        "model": facts.model or None,
        "prompt": None if facts.prompt is None else facts.prompt.plain(),
        "sampling": facts.sampling or {},
        "text": None if content is None else side.text,
        "tool_calls": choices[0].get("tool_calls", []) if choices else [],
        "finish": facts.finish,
        "cache": facts.cache or None,
        "prompt_tokens": facts.prompt_tokens,
        "completion_tokens": facts.completion_tokens,
        "spent_tokens": facts.spent_tokens,
        "cost_usd": facts.cost_nanousd / NANO,
        "duration_ms": _thousandfold(facts.duration_s),
        "ttft_ms": _thousandfold(facts.ttft_s),
        "citations": [] if content is None else content.get("citations", []),
        "guards": [each.facts.plain() for each in side.guards],
    }


def _thousandfold(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 3)
