"""Routes of our own: recipes, jobs with any recipe, and versions."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context, Principal
from mainspring.features.train import planning
from mainspring.features.train.data.uploads import folder_of
from mainspring.features.train.jobs import fields
from mainspring.features.train.jobs.running import tail
from mainspring.features.train.jobs.store import ORDERS
from mainspring.features.train.service import Training
from mainspring.features.train.shapes import both_ends, details, event_body, job_body, recipe_body, version_body
from mainspring.features.train.versions.store import named_versions
from mainspring.http.access import Access, acting, check_lasting
from mainspring.http.bodies import Body, Free, Metadata, Name
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.documents.files import Files
from mainspring.stores.sql import rows
from mainspring.stores.sql.pages import Slice
from mainspring.training import recipes
from mainspring.training.ports import JobView, Order

PREFIX = "/v1/training"
FileId = Annotated[str, Field(min_length=1, max_length=128)]
Label = Annotated[str, Field(min_length=1, max_length=128)]
MOST_POINTS = 2_000


class TrainingBody(Body):
    """``POST /v1/training/jobs``: an export, or uploaded files of JSON lines."""

    recipe: Name
    options: Annotated[Free, Field(default_factory=dict, description="options of the recipe, see its schema")]
    export: Annotated[str, Field(max_length=128, description="ID of a lake export in the format trl")] = ""
    training_file: Annotated[FileId | None, Field(description="ID of an uploaded file")] = None
    validation_file: FileId | None = None
    test_file: FileId | None = None
    base: Annotated[str, Field(max_length=128, description="base model in the catalogue, or a version")] = ""
    suffix: Annotated[str, Field(max_length=64, description="name of the resulting version")] = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    seconds: (
        Annotated[
            float, Field(gt=0, le=1e8, description="maximum training time in seconds; the best checkpoint is kept")
        ]
        | None
    ) = None
    usd: (
        Annotated[float, Field(gt=0, le=1e8, description="maximum cost in US dollars, from the price of the machine")]
        | None
    ) = None
    night: Annotated[bool, Field(description="run only at night, see train.night")] = False
    serve: Annotated[bool, Field(description="serve the resulting version before the job is over")] = False
    metadata: Metadata | None = None

    def files(self) -> dict[str, str]:
        """Uploaded files by side. Raises ``InvalidRequest`` for sides without rows to learn from."""
        named = {"train": self.training_file, "validation": self.validation_file, "test": self.test_file}
        found = {side: name for side, name in named.items() if name is not None}
        if bool(self.export) == bool(found):
            raise InvalidRequest("send either an export or a training_file, not both", param="training_file")
        if found and "train" not in found:
            raise InvalidRequest("the training data is missing", remedy="Send a training_file", param="training_file")
        return found

    def order(self, **more: Any) -> Order:
        """As the service takes it."""
        return Order(
            self.recipe,
            self.options,
            export=self.export,
            base=self.base,
            suffix=self.suffix,
            seed=self.seed,
            seconds=self.seconds,
            usd=self.usd,
            night=self.night,
            serve=self.serve,
            **more,
        )


class PlanBody(Body):
    """``POST /v1/training/plan``: a run as it would be ordered."""

    recipe: Name
    options: Annotated[Free, Field(default_factory=dict, description="options of the recipe, see its schema")]
    base: Annotated[str, Field(max_length=128, description="base model in the catalogue, or a version")] = ""


def router(service: Training, files: Files, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["training"], prefix=PREFIX)
    trains = Annotated[Context, Depends(access("train"))]

    @routes.post("/jobs", status_code=201)
    async def create_training(
        http: HttpRequest, body: TrainingBody, context: trains, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Create a training job: a run of a recipe on an export or on uploaded files."""
        check_lasting(context, "a training job")

        async def work() -> HttpResponse:
            principal, named = context.principal, body.files()
            with fields.named(fields.UPLOADED if named else fields.EXPORTED):
                async with service.turn(principal.tenant):
                    if not named:
                        view = await service.order(principal, body.order(), metadata=body.metadata)
                    else:
                        room = service.places.root / "drafts"
                        async with folder_of(files, principal, named, room, service.settings) as folder:
                            origin = {"source": "files", "files": named}
                            order = body.order(folder=folder)
                            view = await service.order(principal, order, metadata=body.metadata, origin=origin)
            return json_response(await _job(service, principal, view.id), status=201)

        async def shown(order: str) -> HttpResponse:
            row = await service.jobs.ordered(context.principal, order)
            return json_response(job_body(row, await service.view(row)), status=201)

        return await idempotency.once(key, "training", [await http.body()], context, work, makes=makes(ORDERS, shown))

    _choosing(routes, service, trains)
    _jobs(routes, service, trains)
    _watching(routes, service, trains)
    _versions(routes, service, trains)
    _serving(routes, service, trains)
    return routes


def _choosing(routes: APIRouter, service: Training, trains: Any) -> None:
    @routes.get("/recipes")
    async def list_recipes(context: trains) -> HttpResponse:  # noqa: ARG001
        """The training recipes, each with its options as a JSON schema."""
        return json_response({"object": "list", "data": [recipe_body(each) for each in recipes.every().values()]})

    @routes.get("/recipes/{recipe}")
    async def get_recipe(recipe: str, context: trains) -> HttpResponse:  # noqa: ARG001
        """A recipe by its name."""
        return json_response(recipe_body(recipes.find(recipe)))

    @routes.get("/bases")
    async def list_bases(
        context: trains,
        recipe: Annotated[str, Query(max_length=64, description="only what this recipe can start from")] = "",
        option: Annotated[str, Query(max_length=64, description="what this option of the recipe can name")] = "",
    ) -> HttpResponse:
        """The pulled models and the trained versions that a run can start from, or that an option can name."""
        return json_response(await planning.bases(service, context.principal, recipe, option))

    @routes.post("/plan")
    async def plan_training(body: PlanBody, context: trains) -> HttpResponse:
        """Plan the memory of a run: weights, gradients, optimiser state and activations of a process."""
        found = await planning.plan(service, context.principal, body.recipe, body.options, body.base)
        return json_response(found)


def _jobs(routes: APIRouter, service: Training, trains: Any) -> None:
    @routes.get("/jobs")
    async def list_trainings(context: trains, page: AskedPage) -> HttpResponse:
        """Training jobs that the key's groups may see."""
        found = await service.jobs.page(context.principal, page)
        shown = [job_body(row, await service.view(row)) for row in found.rows]
        return json_response(list_body(Slice(shown, found.more)))

    @routes.get("/jobs/{job_id}")
    async def get_training(job_id: str, context: trains) -> HttpResponse:
        """A training job with its progress."""
        return json_response(await _job(service, context.principal, job_id))

    @routes.post("/jobs/{job_id}/cancel")
    async def cancel_training(job_id: str, context: trains) -> HttpResponse:
        """Cancel a job."""
        return await _after(service, context.principal, await service.cancel_training(context.principal, job_id))

    @routes.post("/jobs/{job_id}/pause")
    async def pause_training(job_id: str, context: trains) -> HttpResponse:
        """Pause a job after a checkpoint."""
        return await _after(service, context.principal, await service.pause(context.principal, job_id))

    @routes.post("/jobs/{job_id}/resume")
    async def resume_training(job_id: str, context: trains) -> HttpResponse:
        """Resume a paused or failed job from its latest checkpoint."""
        return await _after(service, context.principal, await service.resume(context.principal, job_id))

    @routes.delete("/jobs/{job_id}")
    async def delete_training(job_id: str, context: trains) -> HttpResponse:
        """Delete a job that has ended. Its version stays."""
        await service.delete_job(context.principal, job_id)
        return json_response({"id": job_id, "object": "training.job.deleted", "deleted": True})


def _watching(routes: APIRouter, service: Training, trains: Any) -> None:
    @routes.get("/jobs/{job_id}/metrics")
    async def get_metrics(
        job_id: str,
        context: trains,
        after: Annotated[int, Query(ge=-1, le=2**53, description="number of the last step that you have")] = -1,
        limit: Annotated[int, Query(ge=1, le=MOST_POINTS)] = 1_000,
    ) -> HttpResponse:
        """Metrics of the steps after `after`, for live curves. `next` is the `after` of the next request."""
        row = await service.jobs.get(context.principal, job_id)
        found = await asyncio.to_thread(service.folder(row).metrics, after)
        shown = found[:limit]
        body = {"object": "list", "data": shown, "has_more": len(found) > limit, "status": row.state}
        return json_response({**body, "next": shown[-1]["step"] if shown else after})

    @routes.get("/jobs/{job_id}/samples")
    async def get_samples(
        job_id: str,
        context: trains,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
        ends: Annotated[bool, Query(description="only the first and the last sample of each prompt")] = False,
    ) -> HttpResponse:
        """Sample outputs of the model before, during and after training; of more than `limit` the latest."""
        row = await service.jobs.get(context.principal, job_id)
        found = await asyncio.to_thread(service.folder(row).samples)
        found = both_ends(found) if ends else found
        return json_response({"object": "list", "data": found[-limit:], "has_more": len(found) > limit})

    @routes.get("/jobs/{job_id}/log")
    async def get_log(
        job_id: str, context: trains, characters: Annotated[int, Query(ge=1, le=1_000_000)] = 20_000
    ) -> HttpResponse:
        """The last lines of the output of a job's process."""
        row = await service.jobs.get(context.principal, job_id)
        said = await asyncio.to_thread(tail, service.folder(row), characters)
        return json_response({"object": "training.log", "job": row.id, "text": said})

    @routes.get("/jobs/{job_id}/events")
    async def get_events(job_id: str, context: trains) -> HttpResponse:
        """Events of a job, oldest first."""
        row = await service.jobs.get(context.principal, job_id)
        found = await service.jobs.events(row.tenant, row.id)
        return json_response({"object": "list", "data": [event_body(each) for each in found], "has_more": False})


def _versions(routes: APIRouter, service: Training, trains: Any) -> None:
    @routes.get("/versions")
    async def list_versions(
        context: trains, page: AskedPage, name: Annotated[str, Query(max_length=64)] = ""
    ) -> HttpResponse:
        """Trained versions, newest first. Cursors are `NAME@NUMBER`."""
        principal = context.principal
        found = await service.kept.page(principal.tenant, page, principal.groups, name)
        shown = [version_body(row, service.seen(row)) for row in found.rows]
        return json_response(list_body(Slice(shown, found.more)))

    @routes.get("/made-of/{source}")
    async def list_made_of(source: str, context: trains) -> HttpResponse:
        """The versions that were made from an answer, a trace, an event or an export."""
        found = await service.kept.of_source(context.principal.tenant, source, context.principal.groups)
        shown = [version_body(row, service.seen(row)) for row in found]
        return json_response({"object": "list", "data": shown, "has_more": False})

    @routes.get("/versions/{version}")
    async def get_version(version: str, context: trains) -> HttpResponse:
        """A version with its job, its data and its files."""
        row = await service.kept.find(context.principal.tenant, version, context.principal.groups)
        seen = service.seen(row)
        more = await asyncio.to_thread(details, row, seen.folder)
        return json_response({**version_body(row, seen), **more})

    @routes.get("/versions/{version}/card")
    async def get_card(version: str, context: trains) -> HttpResponse:
        """The model card of a version, as Markdown."""
        row = await service.kept.find(context.principal.tenant, version, context.principal.groups)
        return HttpResponse(await service.card(row), media_type="text/markdown; charset=utf-8")

    @routes.get("/versions/{version}/lineage")
    async def get_sources(
        version: str, context: trains, limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000
    ) -> HttpResponse:
        """The lineage of a version: its answers, traces and events, its base, and what its options name."""
        row = await service.kept.find(context.principal.tenant, version, context.principal.groups)
        found = await service.kept.sources(row.tenant, row.job, limit + 1)
        shown = [{"id": source, "kind": kind} for source, kind in found[:limit]]
        origin = {"export": row.export or None, "base": row.base or None, "job": row.job}
        named = named_versions(rows.load(row.asked))
        return json_response(
            {"object": "list", "data": shown, "has_more": len(found) > limit, **origin, "named": named}
        )


def _serving(routes: APIRouter, service: Training, trains: Any) -> None:
    @routes.post("/versions/{version}/serve")
    async def serve_version(version: str, context: trains) -> HttpResponse:
        """Convert a version, compare it with the trained weights, and serve it under its label without a restart."""
        name = await service.serve_version(context.principal, version, acting(context))
        row = await service.kept.find(context.principal.tenant, name, context.principal.groups)
        return json_response(version_body(row, service.seen(row)))

    @routes.post("/versions/{version}/withdraw")
    async def withdraw_version(version: str, context: trains) -> HttpResponse:
        """Withdraw a version from service permanently."""
        row = await service.withdraw(context.principal, version, acting(context))
        return json_response(version_body(row, service.seen(row)))

    @routes.delete("/versions/{version}")
    async def delete_version(version: str, context: trains) -> HttpResponse:
        """Withdraw a version from service and delete its files."""
        label = await service.delete_version(context.principal, version, acting(context))
        return json_response({"id": label, "object": "training.version.deleted", "deleted": True})


async def _job(service: Training, principal: Principal, job_id: str) -> dict[str, Any]:
    row = await service.jobs.get(principal, job_id)
    return job_body(row, await service.view(row))


async def _after(service: Training, principal: Principal, view: JobView) -> HttpResponse:
    return json_response(await _job(service, principal, view.id))
