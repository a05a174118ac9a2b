"""Routes of advice."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.advise.rule.rows import WAYS, Way
from mainspring.features.advise.service import Advise
from mainspring.features.advise.shapes import advice_body, markdown
from mainspring.features.advise.store import PREFIX as IDS
from mainspring.features.advise.wish import Tune, Wish
from mainspring.http.access import Access, check_lasting
from mainspring.http.bodies import AtMost, Body, Free, Metadata, Name
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/advice"
Number = Annotated[float, Field(allow_inf_nan=False)]


class AdvisedPrompt(Body):
    """A prompt of the registry, with its version or label."""

    id: Name
    version: Annotated[str, Field(max_length=64)] = ""
    variables: Annotated[dict[str, str], Field(default_factory=dict, max_length=64), AtMost(64)]


class AdvisedScorer(Body):
    """A scorer, see ``GET /v1/scorers``, with its options."""

    name: Name = "f1"
    options: Annotated[Free, Field(default_factory=dict)]


class FineTune(Body):
    """Allows training, with limits. Training ends at the first limit that is reached."""

    recipe: Name = "sft"
    options: Annotated[Free, Field(default_factory=dict, description="options of the recipe, see its schema")]
    base: Annotated[
        str, Field(max_length=128, description="base model in the catalogue; default: the model under test")
    ] = ""
    seconds: Annotated[float, Field(gt=0, le=1e8, description="maximum training time in seconds")] | None = None
    usd: (
        Annotated[
            float,
            Field(gt=0, le=1e8, description="maximum cost of training in US dollars, from the price of the machine"),
        ]
        | None
    ) = None

    def tune(self) -> Tune:
        return Tune(self.recipe, self.options, self.base, self.seconds, self.usd)


class AdviceBody(Body):
    """``POST /v1/advice``: each approach is tried on a sample of the data set and compared."""

    dataset: Annotated[str, Field(min_length=1, max_length=128)]
    version: int | Annotated[str, Field(max_length=64)] | None = None
    model: Annotated[str, Field(min_length=1, max_length=256, description="chat model under test")]
    collection: Annotated[str, Field(max_length=256, description="collection with the facts; default: none")] = ""
    prompt: AdvisedPrompt | None = None
    ways: Annotated[list[Way], Field(default_factory=lambda: list(WAYS), min_length=1, max_length=6, fail_fast=True)]
    scorer: Annotated[AdvisedScorer, Field(default_factory=AdvisedScorer)]
    questions: Annotated[int, Field(ge=1, le=100_000, description="maximum number of questions that are measured")] = (
        100
    )
    shots: Annotated[
        int, Field(ge=1, le=32, description="number of examples in a prompt; the most similar ones are used")
    ] = 4
    max_tokens: Annotated[int, Field(ge=1, le=100_000, description="maximum tokens per answer")] = 256
    seed: Annotated[int, Field(ge=0, lt=2**31, description="random seed of the sample")] = 1
    queries_per_month: Annotated[Number, Field(gt=0, le=1e12)] = 1_000.0
    changes_per_month: (
        Annotated[
            Number,
            Field(ge=0, le=1e6, description="changes of the facts per month; default: computed from the documents"),
        ]
        | None
    ) = None
    months: Annotated[Number, Field(gt=0, le=1_200, description="months over which one-time costs are spread")] = 12.0
    margin: Annotated[Number, Field(gt=0, lt=1, description="smallest difference of scores that matters")] = 0.02
    usd_per_hour: (
        Annotated[
            Number,
            Field(ge=0, le=1e6, description="price of the machine in US dollars per hour; default: prices.per_hour"),
        ]
        | None
    ) = None
    fine_tune: Annotated[FineTune, Field(description="default: no training")] | None = None
    name: Annotated[str, Field(max_length=128)] = ""
    metadata: Annotated[Metadata, Field(default_factory=dict)]

    def wish(self) -> Wish:
        use = self.prompt
        return Wish(
            self.model,
            self.collection,
            None if use is None else {"name": use.id, "wanted": use.version, "variables": dict(use.variables)},
            tuple(way for way in WAYS if way in self.ways),
            self.scorer.name,
            self.scorer.options,
            self.questions,
            self.shots,
            self.max_tokens,
            self.seed,
            self.queries_per_month,
            self.changes_per_month,
            self.months,
            self.margin,
            self.usd_per_hour,
            None if self.fine_tune is None else self.fine_tune.tune(),
        )


def router(service: Advise, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["advice"], prefix=PREFIX)
    askers = Annotated[Context, Depends(access("advise"))]

    @routes.post("", status_code=201)
    async def create_advice(
        http: HttpRequest, body: AdviceBody, context: askers, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Queue an advice job: each approach answers a sample, and a rule compares quality, cost and change."""
        check_lasting(context, "an advice")

        async def work() -> HttpResponse:
            row = await service.submit(
                context.principal, body.dataset, body.version, body.wish(), name=body.name, metadata=body.metadata
            )
            return json_response(advice_body(row), status=201)

        async def shown(advice_id: str) -> HttpResponse:
            return json_response(advice_body(await service.store.get(context.principal, advice_id)), status=201)

        return await idempotency.once(key, "advice", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("")
    async def list_advice(context: askers, page: AskedPage) -> HttpResponse:
        """Advice jobs that the key's groups may see."""
        found = await service.store.page(context.principal, page)
        return json_response(list_body(found.map(advice_body)))

    _one(routes, service, askers)
    return routes


def _one(routes: APIRouter, service: Advise, askers: Any) -> None:
    @routes.get("/{advice}")
    async def get_advice(advice: str, context: askers) -> HttpResponse:
        """An advice job with its progress, and with its report when it has ended."""
        return json_response(advice_body(await service.store.get(context.principal, advice)))

    @routes.get("/{advice}/report")
    async def get_advice_report(
        advice: str,
        context: askers,
        format: Annotated[str, Query(pattern="^(json|markdown)$")] = "markdown",  # noqa: A002
    ) -> HttpResponse:
        """The report as Markdown."""
        row = await service.store.get(context.principal, advice)
        if format == "json":
            return json_response(advice_body(row))
        return HttpResponse(markdown(advice_body(row)), media_type="text/markdown; charset=utf-8")

    @routes.post("/{advice}/cancel")
    async def cancel_advice(advice: str, context: askers) -> HttpResponse:
        """Stop an advice job, with the training and the experiment that it started."""
        return json_response(advice_body(await service.cancel(context.principal, advice)))

    @routes.delete("/{advice}")
    async def delete_advice(advice: str, context: askers) -> HttpResponse:
        """Delete an advice job that has ended, with its sample."""
        await service.delete(context.principal, advice)
        return json_response({"id": advice, "object": "advice.deleted", "deleted": True})
