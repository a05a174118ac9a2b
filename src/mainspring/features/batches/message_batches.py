"""Anthropic's message batches (``/v1/messages/batches``): the same batches, in Anthropic's shapes.

A batch is created with its requests instead of a file. They become the lines of a file, so that workers, windows,
erasure and retention are those of other batches.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import datetime
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse

from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.types import Context
from mainspring.features.batches.lines import MESSAGES
from mainspring.features.batches.routes import create
from mainspring.features.batches.settings import BatchesSettings
from mainspring.http.access import Access, acting, check_lasting
from mainspring.http.anthropic.encode import ERRORS, kind_of
from mainspring.http.bodies import Body, Free
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.documents.files import REQUESTS, Files
from mainspring.stores.sql.pages import Page
from mainspring.stores.work.batches import OVER, Batch, Batches
from mainspring.stores.work.batches import PREFIX as IDS

PREFIX = "/v1/messages/batches"
_WINDOW = "24h"
_MOST = 100_000
_COUNT = "requests"
"""The metadata of a batch that says how many requests it has."""


class BatchedRequest(Body):
    custom_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    params: Free


class MessageBatchBody(Body):
    """``POST /v1/messages/batches``. The ``params`` are checked when they are answered, and errors are results."""

    requests: Annotated[list[BatchedRequest], Field(min_length=1, max_length=_MOST, fail_fast=True)]


def router(
    batches: Batches, files: Files, settings: BatchesSettings, access: Access, idempotency: Idempotency
) -> APIRouter:
    """The routes over the same stores."""
    routes = APIRouter(route_class=JsonRoute, tags=["batches"], prefix=PREFIX, responses=ERRORS)
    ingests = Annotated[Context, Depends(access("ingest"))]

    @routes.post("")
    async def create_message_batch(
        http: HttpRequest, body: MessageBatchBody, context: ingests, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Queue requests. The key also needs the scope ``chat``."""
        check_lasting(context, "a batch")
        principal = context.principal

        async def work() -> HttpResponse:
            data = b"\n".join(_line(each) for each in body.requests)
            file = await files.add(principal.tenant, "message_batch.jsonl", data, REQUESTS, principal.groups)
            made = await create(
                batches,
                files,
                settings,
                principal,
                input_file_id=file.id,
                endpoint=MESSAGES,
                window=_WINDOW,
                metadata={_COUNT: str(len(body.requests))},
            )
            return json_response(await _shown(files, made))

        async def shown(batch_id: str) -> HttpResponse:
            return json_response(await _shown(files, await _get(batches, batch_id, context)))

        return await idempotency.once(
            key, "message_batches", [await http.body()], context, work, makes=makes(IDS, shown)
        )

    @routes.get("")
    async def list_message_batches(
        context: ingests,
        limit: Annotated[int, Query(ge=1, le=1000)] = 20,
        after_id: str | None = None,
        before_id: str | None = None,
    ) -> HttpResponse:
        page = Page(limit=min(limit, 100), after=after_id, before=before_id)
        principal = context.principal
        try:
            found = await batches.page(principal.tenant, page, groups=principal.groups, endpoint=MESSAGES)
        except InvalidRequest as error:
            named = f"{error.param}_id"
            problem = error.message.replace(f"{error.param} ", f"{named} ", 1)
            raise InvalidRequest(problem, remedy=error.remedy, param=named) from None
        data = [await _shown(files, each) for each in found.rows]
        ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
        return json_response({"data": data, "has_more": found.more, **ends})

    _add_one(routes, batches, files, access)
    return routes


def _add_one(routes: APIRouter, batches: Batches, files: Files, access: Access) -> None:
    """The routes of one batch."""
    ingests = Annotated[Context, Depends(access("ingest"))]

    @routes.get("/{batch_id}")
    async def get_message_batch(batch_id: str, context: ingests) -> HttpResponse:
        return json_response(await _shown(files, await _get(batches, batch_id, context)))

    @routes.post("/{batch_id}/cancel")
    async def cancel_message_batch(batch_id: str, context: ingests) -> HttpResponse:
        await _get(batches, batch_id, context)
        principal = context.principal
        cancelled = await batches.cancel(principal.tenant, batch_id, groups=principal.groups)
        return json_response(await _shown(files, cancelled))

    @routes.delete("/{batch_id}")
    async def delete_message_batch(batch_id: str, context: ingests) -> HttpResponse:
        """Delete a batch that has ended, its requests and its results."""
        batch = await _ended(batches, batch_id, context)
        for file_id in filter(None, (batch.input_file_id, batch.output_file_id, batch.error_file_id)):
            # A deletion that was cut short goes on here.
            with suppress(NotFound):
                await files.delete(context.principal.tenant, file_id, groups=None, by=acting(context))
        await batches.delete(context.principal.tenant, batch_id)
        return json_response({"id": batch_id, "type": "message_batch_deleted"})

    @routes.get("/{batch_id}/results")
    async def message_batch_results(batch_id: str, context: ingests) -> HttpResponse:
        """A line of JSON for each request, once the batch has ended."""
        batch = await _ended(batches, batch_id, context)
        return StreamingResponse(_results(files, batch), media_type="application/x-jsonl")


async def _get(batches: Batches, batch_id: str, context: Context) -> Batch:
    batch = await batches.get(context.principal.tenant, batch_id, groups=context.principal.groups)
    if batch.endpoint != MESSAGES:
        raise NotFound(f"{batch_id} is not a message batch", remedy="GET /v1/batches/ID shows it", param="batch_id")
    return batch


async def _ended(batches: Batches, batch_id: str, context: Context) -> Batch:
    """Raises ``Conflict`` for one that is still answered, and ``NotFound``."""
    batch = await _get(batches, batch_id, context)
    if batch.status not in OVER:
        raise Conflict(f"{batch_id} has not ended yet", remedy="Ask again when its processing_status is ended")
    return batch


def _line(request: BatchedRequest) -> bytes:
    return orjson.dumps({"custom_id": request.custom_id, "method": "POST", "url": MESSAGES, "body": request.params})


async def _results(files: Files, batch: Batch) -> AsyncIterator[bytes]:
    for file_id in (batch.output_file_id, batch.error_file_id):
        async for line in _lines(files, batch, file_id):
            yield orjson.dumps(result(line)) + b"\n"


async def _lines(files: Files, batch: Batch, file_id: str | None) -> AsyncIterator[dict[str, Any]]:
    if file_id is not None:
        data = await files.content(batch.tenant, file_id, groups=batch.groups)
        for line in data.splitlines():
            if line.strip():
                yield orjson.loads(line)


def result(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line of our files as Anthropic's result."""
    response, error = line.get("response"), line.get("error") or {}
    if response is not None and response["status_code"] == 200:
        told: dict[str, Any] = {"type": "succeeded", "message": response["body"]}
    elif error.get("code") in _UNANSWERED:
        told = {"type": _UNANSWERED[error["code"]]}
    else:
        status = 500 if response is None else response["status_code"]
        fault = error or (response or {}).get("body", {}).get("error", {})
        facts = {"type": kind_of(status), "message": fault.get("message", ""), "code": fault.get("code")}
        trace_id = None if response is None else response["request_id"]
        told = {"type": "errored", "error": {"type": "error", "error": facts, "request_id": trace_id}}
    return {"custom_id": line["custom_id"], "result": told}


_UNANSWERED = {"batch_cancelled": "canceled", "batch_expired": "expired"}


async def _shown(files: Files, batch: Batch) -> dict[str, Any]:
    """Anthropic's ``message_batch``."""
    over = batch.status in OVER
    ended = next((batch.times[name] for name in OVER if name in batch.times), None)
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if over else "canceling" if batch.status == "cancelling" else "in_progress",
        "request_counts": await _counts(files, batch),
        "created_at": _time(batch.created_at),
        "expires_at": _time(batch.expires_at),
        "ended_at": _time(ended),
        "cancel_initiated_at": _time(batch.times.get("cancelling")),
        "archived_at": None,
        "results_url": f"{PREFIX}/{batch.id}/results" if over else None,
    }


async def _counts(files: Files, batch: Batch) -> dict[str, int]:
    """Requests count as processing until all have ended."""
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    whole = int(batch.metadata.get(_COUNT, batch.total))
    if batch.status not in OVER:
        return counts | {"processing": whole}
    counts |= {"succeeded": batch.completed, "errored": batch.failed}
    if batch.status in _STOPPED:
        stopped = _STOPPED[batch.status]
        async for line in _lines(files, batch, batch.error_file_id):
            if result(line)["result"]["type"] == stopped:
                counts[stopped] += 1
                counts["errored"] -= 1
        counts[stopped] += max(0, whole - batch.completed - batch.failed)
    else:
        counts["errored"] += max(0, whole - batch.completed - batch.failed)
    return counts


_STOPPED = {"cancelled": "canceled", "expired": "expired"}


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()
