"""OpenAI's fine-tuning jobs."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest, NotFound, Unsupported
from mainspring.core.types import Context, Principal
from mainspring.features.train.data.uploads import folder_of
from mainspring.features.train.jobs.fields import UPLOADED
from mainspring.features.train.jobs.fields import named as fields_named
from mainspring.features.train.jobs.orders import NAME
from mainspring.features.train.jobs.store import ORDERS
from mainspring.features.train.openai.mapping import METHODS, fields_of, options_of, scorer_of
from mainspring.features.train.openai.shapes import checkpoints_of, events, job_body
from mainspring.features.train.service import Training
from mainspring.http.access import Access, check_lasting
from mainspring.http.bodies import Body, Free, Metadata, Name
from mainspring.http.fields import Hint, Refused
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, cut, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.documents.files import Files
from mainspring.stores.sql.pages import Slice
from mainspring.training import recipes
from mainspring.training.ports import Order
from mainspring.training.recipe import Recipe

PREFIX = "/v1/fine_tuning/jobs"
FileId = Annotated[str, Field(min_length=1, max_length=128)]
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
Auto = Literal["auto"]
Epochs = Auto | Annotated[int, Field(ge=1, le=100)]
Batch = Auto | Annotated[int, Field(ge=1, le=1024)]
Factor = Auto | Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Count = Auto | Annotated[int, Field(ge=1, le=1_000_000)]


class HyperparametersBody(Body):
    """Hyperparameters. The recipe chooses those that are ``auto`` or left out."""

    n_epochs: Epochs | None = None
    batch_size: Batch | None = None
    learning_rate_multiplier: Annotated[Factor | None, Field(description="factor for the recipe's learning rate")] = (
        None
    )


class DpoHyperparameters(HyperparametersBody):
    """Hyperparameters of DPO, with the weight of the penalty for deviating from the base model."""

    beta: Auto | Annotated[float, Field(gt=0, le=100)] | None = None


class ReinforcementHyperparameters(HyperparametersBody):
    """Hyperparameters of reinforcement, with the frequency and size of evaluations."""

    compute_multiplier: Factor | None = None
    eval_interval: Count | None = None
    eval_samples: Count | None = None
    reasoning_effort: Annotated[Any, Refused("trained models have no reasoning effort", unless=("default",))] = None


class SupervisedBody(Body):
    hyperparameters: HyperparametersBody | None = None


class DpoBody(Body):
    hyperparameters: DpoHyperparameters | None = None


class ReinforcementBody(Body):
    grader: Annotated[Free, Field(description="string_check with ieq, or text_similarity with a word metric")]
    hyperparameters: ReinforcementHyperparameters | None = None


class MethodBody(Body):
    """The training method with its options."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: SupervisedBody | None = None
    dpo: DpoBody | None = None
    reinforcement: ReinforcementBody | None = None


class JobBody(Body):
    """``POST /v1/fine_tuning/jobs``."""

    model: Annotated[Name, Field(description="chat model in the catalogue, or a trained version")]
    training_file: FileId
    validation_file: FileId | None = None
    method: MethodBody | None = None
    hyperparameters: Annotated[
        HyperparametersBody | None, Field(description="old form of method.supervised.hyperparameters")
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    suffix: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    metadata: Metadata | None = None
    integrations: Annotated[Any, Hint("metrics are stored with the job, for curves and TensorBoard")] = None

    def told(self) -> dict[str, Any]:
        """The method as it is shown."""
        if self.method is not None:
            if self.hyperparameters is not None:
                raise InvalidRequest(
                    "hyperparameters belong in the method", remedy="Leave them out", param="hyperparameters"
                )
            for name in ("supervised", "dpo", "reinforcement"):
                if name != self.method.type and getattr(self.method, name) is not None:
                    raise InvalidRequest(f"the method is {self.method.type}", param=f"method.{name}")
            return self.method.model_dump(exclude_none=True)
        given = {} if self.hyperparameters is None else self.hyperparameters.model_dump(exclude_none=True)
        return {"type": "supervised", "supervised": {"hyperparameters": given}}

    def place(self, kind: str) -> str:
        """The field with the hyperparameters."""
        return f"method.{kind}.hyperparameters" if self.method is not None else "hyperparameters"

    def fields(self, recipe: Recipe, kind: str) -> dict[str, str]:
        """The fields of this body by what the service calls them."""
        return {**UPLOADED, **fields_of(recipe, self.place(kind))}

    def order(self, method: dict[str, Any], **more: Any) -> Order:
        """Raises ``Unsupported``, ``InvalidRequest``."""
        kind = method["type"]
        try:
            recipe = recipes.find(METHODS[kind])
        except NotFound:
            raise Unsupported(f"no recipe supports the method {kind}", param="method.type") from None
        part = method.get(kind, {})
        options = options_of(recipe, part.get("hyperparameters", {}), self.place(kind))
        if kind == "reinforcement":
            if "grader" not in part:
                raise InvalidRequest("the method reinforcement needs a grader", param="method.reinforcement.grader")
            options |= scorer_of(part["grader"], recipe)
        suffix = self.suffix.lower() if self.suffix else ""
        if suffix and not NAME.fullmatch(suffix):
            raise InvalidRequest(
                "a suffix consists of letters, digits, dots, hyphens and underscores",
                remedy="For example my-shop",
                param="suffix",
            )
        return Order(recipe.name, options, base=self.model, suffix=suffix, seed=self.seed or 0, serve=True, **more)


def router(service: Training, files: Files, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["fine-tuning"], prefix=PREFIX)
    trains = Annotated[Context, Depends(access("train"))]

    @routes.post("")
    async def create_fine_tuning_job(
        http: HttpRequest, body: JobBody, context: trains, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Train a chat model on uploaded conversations or preferences, and serve it."""
        check_lasting(context, "a fine-tuning job")

        async def work() -> HttpResponse:
            principal, method = context.principal, body.told()
            recipe = recipes.find(body.order(method).recipe)
            named = {"train": body.training_file}
            if body.validation_file is not None:
                named["validation"] = body.validation_file
            room = service.places.root / "drafts"
            with fields_named(body.fields(recipe, method["type"])):
                async with (
                    service.turn(principal.tenant),
                    folder_of(files, principal, named, room, service.settings) as folder,
                ):
                    origin = {"source": "files", "files": named, "method": method}
                    order = body.order(method, folder=folder)
                    view = await service.order(principal, order, metadata=body.metadata, origin=origin)
            return json_response(await _job(service, principal, view.id))

        async def shown(order: str) -> HttpResponse:
            row = await service.jobs.ordered(context.principal, order)
            return json_response(job_body(row, await service.view(row)))

        return await idempotency.once(
            key, "fine-tuning", [await http.body()], context, work, makes=makes(ORDERS, shown)
        )

    @routes.get("")
    async def list_fine_tuning_jobs(
        http: HttpRequest,
        context: trains,
        page: AskedPage,
        _: Annotated[
            str | None, Query(alias="metadata[*]", description="Metadata filter; * is the name of a metadata field")
        ] = None,
    ) -> HttpResponse:
        """Fine-tuning jobs, newest first."""
        wanted = _metadata(http)
        found = await service.jobs.page(context.principal, page, wanted)
        shown = [job_body(row, await service.view(row)) for row in found.rows]
        return json_response(list_body(Slice(shown, found.more)))

    _one(routes, service, trains)
    return routes


def _one(routes: APIRouter, service: Training, trains: Any) -> None:
    @routes.get("/{job_id}")
    async def get_fine_tuning_job(job_id: str, context: trains) -> HttpResponse:
        """A job with its resulting model."""
        return json_response(await _job(service, context.principal, job_id))

    @routes.post("/{job_id}/cancel")
    async def cancel_fine_tuning_job(job_id: str, context: trains) -> HttpResponse:
        """Cancel a job."""
        await service.cancel_training(context.principal, job_id)
        return json_response(await _job(service, context.principal, job_id))

    @routes.post("/{job_id}/pause")
    async def pause_fine_tuning_job(job_id: str, context: trains) -> HttpResponse:
        """Pause a job after a checkpoint."""
        await service.pause(context.principal, job_id)
        return json_response(await _job(service, context.principal, job_id))

    @routes.post("/{job_id}/resume")
    async def resume_fine_tuning_job(job_id: str, context: trains) -> HttpResponse:
        """Resume a job from its latest checkpoint."""
        await service.resume(context.principal, job_id)
        return json_response(await _job(service, context.principal, job_id))

    @routes.get("/{job_id}/events")
    async def list_fine_tuning_events(job_id: str, context: trains, page: AskedPage) -> HttpResponse:
        """Events of a job with the metrics of its steps, newest first."""
        row = await service.jobs.get(context.principal, job_id)
        told = await service.jobs.events(row.tenant, row.id)
        found = await asyncio.to_thread(events, told, service.folder(row))
        return json_response(list_body(cut(found, page)))

    @routes.get("/{job_id}/checkpoints")
    async def list_fine_tuning_checkpoints(job_id: str, context: trains, page: AskedPage) -> HttpResponse:
        """Checkpoints from which a job can resume, and the one that became the version, newest first."""
        row = await service.jobs.get(context.principal, job_id)
        found = await asyncio.to_thread(checkpoints_of, row, service.folder(row))
        return json_response(list_body(cut(found, page)))


async def _job(service: Training, principal: Principal, job_id: str) -> dict[str, Any]:
    row = await service.jobs.get(principal, job_id)
    return job_body(row, await service.view(row))


def _metadata(http: HttpRequest) -> dict[str, str]:
    found = {}
    for name, value in http.query_params.multi_items():
        if name.startswith("metadata[") and name.endswith("]"):
            found[name.removeprefix("metadata[").removesuffix("]")] = value
    if len(found) > 16 or not all(_PLAIN.fullmatch(name) for name in found):
        problem = "at most 16 metadata are asked for, by names of letters, digits, _ and -"
        raise InvalidRequest(problem, param="metadata")
    return found
