"""OpenAI's batches: many requests in an uploaded file, answered behind everybody else within a window."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Forbidden, InvalidRequest, TooLarge
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal, Responder
from mainspring.engines import Engines
from mainspring.features.batches.lines import SCOPES, Endpoint, LineAnswerer, Moderate
from mainspring.features.batches.settings import BatchesSettings
from mainspring.features.batches.work import BatchWork
from mainspring.http.access import Access, check_lasting
from mainspring.http.bodies import Body, Metadata
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.openai.past_responses import PastResponses
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.serving import Path
from mainspring.serving.judge.moderation import Moderated, Moderator
from mainspring.stores import Stores
from mainspring.stores.documents.files import REQUESTS, FileInfo, Files
from mainspring.stores.sql.worker import Worker
from mainspring.stores.work.batches import KIND, Batch, Batches
from mainspring.stores.work.batches import PREFIX as IDS
from mainspring.telemetry import Telemetry

PREFIX = "/v1/batches"
_WINDOW = re.compile(r"([1-9]\d{0,2})h")


class OutputExpiry(Body):
    """``output_expires_after``: the result files are deleted this many seconds after they were created."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3_600, le=2_592_000)]


class BatchBody(Body):
    """``POST /v1/batches``. The window is in hours, for example ``24h``."""

    input_file_id: Annotated[str, Field(min_length=1, max_length=128)]
    endpoint: Endpoint
    completion_window: Annotated[str, Field(pattern=r"^[1-9]\d{0,2}h$")]
    metadata: Metadata | None = None
    output_expires_after: OutputExpiry | None = None


def router(
    batches: Batches,
    files: Files,
    settings: BatchesSettings,
    access: Access,
    idempotency: Idempotency,
) -> APIRouter:
    """The routes over the stores; workers find new batches by themselves."""
    routes = APIRouter(route_class=JsonRoute, tags=["batches"], prefix=PREFIX)
    ingests = Annotated[Context, Depends(access("ingest"))]

    @routes.post("")
    async def create_batch(
        http: HttpRequest, body: BatchBody, context: ingests, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Queue the lines of an uploaded file of purpose ``batch``. The key also needs the scope of the endpoint."""

        check_lasting(context, "a batch")

        async def work() -> HttpResponse:
            made = await create(
                batches,
                files,
                settings,
                context.principal,
                input_file_id=body.input_file_id,
                endpoint=body.endpoint,
                window=body.completion_window,
                metadata=body.metadata or {},
                output_expires_s=None if body.output_expires_after is None else body.output_expires_after.seconds,
            )
            return json_response(batch_body(made))

        async def shown(batch_id: str) -> HttpResponse:
            principal = context.principal
            return json_response(batch_body(await batches.get(principal.tenant, batch_id, groups=principal.groups)))

        return await idempotency.once(key, "batches", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("")
    async def list_batches(context: ingests, page: AskedPage) -> HttpResponse:
        principal = context.principal
        found = await batches.page(principal.tenant, page, groups=principal.groups)
        return json_response(list_body(found.map(batch_body)))

    @routes.get("/{batch_id}")
    async def get_batch(batch_id: str, context: ingests) -> HttpResponse:
        principal = context.principal
        return json_response(batch_body(await batches.get(principal.tenant, batch_id, groups=principal.groups)))

    @routes.post("/{batch_id}/cancel")
    async def cancel_batch(batch_id: str, context: ingests) -> HttpResponse:
        """Cancel a batch. Lines in progress are stopped, and finished answers are written to its files."""
        principal = context.principal
        return json_response(batch_body(await batches.cancel(principal.tenant, batch_id, groups=principal.groups)))

    return routes


async def create(
    batches: Batches,
    files: Files,
    settings: BatchesSettings,
    principal: Principal,
    *,
    input_file_id: str,
    endpoint: str,
    window: str,
    metadata: dict[str, str],
    output_expires_s: int | None = None,
) -> Batch:
    """A new batch of ``principal``. Raises ``InvalidRequest``, ``NotFound``, ``Forbidden``, ``TooLarge``."""
    seconds = window_s(endpoint, window)
    scope = SCOPES[endpoint]
    if scope not in principal.scopes and "admin" not in principal.scopes:
        raise Forbidden(
            f"this API key lacks the scope {scope!r}, which {endpoint} needs",
            remedy=f"Create one with `mainspring keys create NAME --scope ingest --scope {scope}`",
            param="endpoint",
        )
    file = await files.get(principal.tenant, input_file_id, groups=principal.groups)
    _check(file, settings)
    return await batches.create(
        principal,
        endpoint=endpoint,
        input_file_id=input_file_id,
        window=window,
        window_s=seconds,
        metadata=metadata,
        output_expires_s=output_expires_s,
    )


def window_s(endpoint: str, window: str) -> float:
    """Seconds that a batch may take. Raises ``InvalidRequest`` for an endpoint without batches, or an invalid
    window."""
    hours = _WINDOW.fullmatch(window)
    if endpoint not in SCOPES:
        raise InvalidRequest(
            f"batches do not support the endpoint {endpoint!r}",
            remedy=f"Use one of {', '.join(SCOPES)}",
            param="endpoint",
        )
    if hours is None:
        raise InvalidRequest(
            f"the window cannot be {window!r}", remedy="Use a number of hours, such as 24h", param="completion_window"
        )
    return int(hours[1]) * 3600.0


def _check(file: FileInfo, settings: BatchesSettings) -> None:
    if file.purpose != REQUESTS:
        raise InvalidRequest(
            f"{file.id} was uploaded with the purpose {file.purpose!r}",
            remedy=f"Upload it again with the purpose {REQUESTS!r}",
            param="input_file_id",
        )
    if file.bytes > settings.max_bytes:
        raise TooLarge(
            f"{file.id} has {file.bytes} bytes, and a batch may have {settings.max_bytes}",
            remedy="Split it, or raise batches.max_bytes",
            param="input_file_id",
        )


def batch_body(batch: Batch) -> dict[str, Any]:
    """OpenAI's batch object."""
    times = {f"{name}_at": None if name not in batch.times else int(batch.times[name]) for name in _TIMES}
    errors = {"object": "list", "data": [dict(each) for each in batch.errors]} if batch.errors else None
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": errors,
        "input_file_id": batch.input_file_id,
        "completion_window": batch.completion_window,
        "status": batch.status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": int(batch.created_at),
        "expires_at": int(batch.expires_at),
        **times,
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "metadata": dict(batch.metadata) or None,
    }


_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


class Running(Protocol):
    """The parts of an open system that batches need."""

    @property
    def settings(self) -> Settings: ...
    @property
    def stores(self) -> Stores: ...
    @property
    def engines(self) -> Engines: ...
    @property
    def path(self) -> Path: ...
    @property
    def telemetry(self) -> Telemetry: ...
    @property
    def responder(self) -> Responder: ...


def _moderating(system: Running) -> Moderate:
    judge = Moderator(system.path.detecting, system.stores.events, system.telemetry.metrics)

    async def moderate(texts: Sequence[str], context: Context) -> Moderated:
        async with system.path.charge(context, judge.tokens(texts)):
            return await judge.judge(texts, context)

    return moderate


@asynccontextmanager
async def working(system: Running) -> AsyncIterator[Worker]:
    """Batches are answered while the block runs; leaving it interrupts them, to continue elsewhere or later."""
    settings, stores = system.settings, system.stores
    past = PastResponses(stores.events, settings.gateway.max_messages)
    answer = LineAnswerer(system.responder, past, settings.gateway, _moderating(system))

    def running() -> float:
        found = (each.engine.statistics() for model in system.engines.chat.values() for each in model.all_replicas())
        return sum(gauges.get("running", 0.0) + gauges.get("waiting", 0.0) for gauges in found)

    chosen = settings.section(BatchesSettings)
    work = BatchWork(
        stores.batches,
        stores.jobs,
        stores.files,
        stores.keys,
        answer,
        chosen,
        running=running,
        timeout_s=settings.gateway.request_timeout_s,
    )
    worker = Worker(stores.jobs, KIND, work, parallel=chosen.parallel, lease_s=chosen.lease_s, give_up=work.give_up)
    worker.start()
    try:
        yield worker
    finally:
        await worker.close()
