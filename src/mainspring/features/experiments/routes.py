"""Routes of experiments."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.features.experiments.service import Experiments
from mainspring.features.experiments.shapes import experiment_body, markdown, places_body
from mainspring.features.experiments.spec import MOST_RESPONDERS, MOST_SCORERS, Candidate, Spec, WantedScorer
from mainspring.features.experiments.store.results import PREFIX as IDS
from mainspring.http.access import Access, check_lasting
from mainspring.http.bodies import AtMost, Body, Free, Metadata, Name
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.sql import rows
from mainspring.stores.sql.pages import Slice

PREFIX = "/v1/experiments"


class Drawing(Body):
    """How a responder samples; greedy by default. The names are those of chat completions."""

    max_tokens: Annotated[int, Field(gt=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None


class PromptOfCandidate(Body):
    """A prompt of the registry, with its version or label."""

    id: Name
    version: Annotated[str, Field(max_length=64)] = ""
    variables: Annotated[dict[str, str], Field(default_factory=dict, max_length=64), AtMost(64)]


class CandidateBody(Body):
    """A responder: a model, a collection, an agent or a route."""

    model: Name
    name: Annotated[str, Field(max_length=128)] = ""
    prompt: PromptOfCandidate | None = None
    parameters: Drawing | None = None

    def candidate(self) -> Candidate:
        use = self.prompt
        prompt = None if use is None else {"name": use.id, "wanted": use.version, "variables": dict(use.variables)}
        drawn = {} if self.parameters is None else self.parameters.model_dump(exclude_none=True)
        return Candidate(self.name, self.model, prompt, drawn)


class ScorerBody(Body):
    """A scorer, see ``GET /v1/scorers``, with its options."""

    name: Name
    options: Annotated[Free, Field(default_factory=dict)]
    label: Annotated[str, Field(max_length=128)] = ""
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None


class ExperimentBody(Body):
    """``POST /v1/experiments``. Without responders the recorded answers of the examples are scored."""

    dataset: Annotated[str, Field(min_length=1, max_length=128)]
    version: int | Annotated[str, Field(max_length=64)] | None = None
    responders: Annotated[list[CandidateBody], Field(default_factory=list, max_length=MOST_RESPONDERS, fail_fast=True)]
    scorers: Annotated[list[ScorerBody], Field(min_length=1, max_length=MOST_SCORERS, fail_fast=True)]
    name: Annotated[str, Field(max_length=128)] = ""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    metadata: Annotated[Metadata, Field(default_factory=dict)]

    def spec(self) -> Spec:
        scorers = (WantedScorer(each.name, each.options, each.label, each.threshold) for each in self.scorers)
        candidates = tuple(each.candidate() for each in self.responders)
        return Spec(candidates, tuple(scorers), self.concurrency, not candidates)


def router(service: Experiments, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["experiments"])
    runners = Annotated[Context, Depends(access("experiments"))]

    @routes.get("/v1/scorers")
    async def list_scorers(context: runners) -> HttpResponse:  # noqa: ARG001
        """The names of all scorers."""
        return json_response(
            {"object": "list", "data": [{"id": name, "object": "scorer"} for name in service.scorer_names()]}
        )

    @routes.post(PREFIX, status_code=201)
    async def create_experiment(
        http: HttpRequest, body: ExperimentBody, context: runners, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Queue an experiment: every responder answers every example, and every scorer scores each answer."""
        check_lasting(context, "an experiment")

        async def work() -> HttpResponse:
            row = await service.submit(
                context.principal, body.dataset, body.version, body.spec(), name=body.name, metadata=body.metadata
            )
            return json_response(experiment_body(row, 0), status=201)

        async def shown(experiment_id: str) -> HttpResponse:
            row = await service.results.get(context.principal, experiment_id)
            return json_response(experiment_body(row, await _done(service, row)), status=201)

        return await idempotency.once(key, "experiments", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get(PREFIX)
    async def list_experiments(
        context: runners, page: AskedPage, dataset: Annotated[str, Query(max_length=128)] = ""
    ) -> HttpResponse:
        """Experiments that the key's groups may see."""
        found = await service.results.page(context.principal, page, data_set=dataset)
        shown = [experiment_body(row, await _done(service, row)) for row in found.rows]
        return json_response(list_body(Slice(shown, found.more)))

    @routes.get(PREFIX + "/{experiment_id}")
    async def get_experiment(experiment_id: str, context: runners) -> HttpResponse:
        """An experiment with its progress."""
        row = await service.results.get(context.principal, experiment_id)
        return json_response(experiment_body(row, await _done(service, row)))

    _reading(routes, service, runners)
    _ending(routes, service, runners)
    return routes


def _ending(routes: APIRouter, service: Experiments, runners: Any) -> None:
    @routes.post(PREFIX + "/{experiment_id}/cancel")
    async def cancel_experiment(experiment_id: str, context: runners) -> HttpResponse:
        """Stop an experiment. Answers in progress are completed."""
        row = await service.cancel(context.principal, experiment_id)
        return json_response(experiment_body(row, await _done(service, row)))

    @routes.delete(PREFIX + "/{experiment_id}")
    async def delete_experiment(experiment_id: str, context: runners) -> HttpResponse:
        """Delete an experiment with its results."""
        await service.delete(context.principal, experiment_id)
        return json_response({"id": experiment_id, "object": "experiment.deleted", "deleted": True})


def _reading(routes: APIRouter, service: Experiments, runners: Any) -> None:
    @routes.get(PREFIX + "/{experiment_id}/report")
    async def get_report(
        experiment_id: str,
        context: runners,
        format: Annotated[str, Query(pattern="^(json|markdown)$")] = "json",  # noqa: A002
    ) -> HttpResponse:
        """Means with intervals and paired differences from the first responder, in all and by slice; cost and time."""
        row = await service.results.get(context.principal, experiment_id)
        made = await service.report(context.principal, row)
        if format == "markdown":
            return HttpResponse(markdown(row.name, made), media_type="text/markdown; charset=utf-8")
        return json_response({"object": "experiment.report", "id": row.id, "status": row.state, **made})

    @routes.get(PREFIX + "/{experiment_id}/drift")
    async def get_drift(
        experiment_id: str,
        context: runners,
        before: Annotated[str, Query(min_length=1, max_length=128, description="ID of an earlier experiment")],
        responder: Annotated[
            str, Query(max_length=128, description="Name of the responder in both experiments; default: the first")
        ] = "",
    ) -> HttpResponse:
        """Score differences from an earlier experiment over the same data set, in all and by slice."""
        made = await service.drift(context.principal, before, experiment_id, responder)
        return json_response({"object": "experiment.drift", "before": before, "after": experiment_id, **made})

    @routes.get(PREFIX + "/{experiment_id}/results")
    async def list_results(
        experiment_id: str,
        context: runners,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[int, Query(ge=0, description="`next` of the previous page")] = 0,
        places: Annotated[
            str, Query(max_length=1000, description="Only the examples at these positions, separated by commas")
        ] = "",
    ) -> HttpResponse:
        """The answers to each example side by side, with their scores."""
        row = await service.results.get(context.principal, experiment_id)
        wanted = _places(places)
        found = await service.results.places(row.tenant, row.id, limit + 1, after, wanted)
        known = sorted({each.place for each in found})
        more = not wanted and len(known) > limit
        kept = set(known if wanted else known[:limit])
        names = [each["name"] for each in rows.load(row.spec)["candidates"]] or ["recorded"]
        picked = [each for each in found if each.place in kept]
        examples = await service.examples(context.principal, row, [each.example_id for each in picked])
        shown = await asyncio.to_thread(places_body, picked, names, examples)
        following = max(kept) if more else None
        return json_response({"object": "list", "data": shown, "has_more": more, "next": following})


async def _done(service: Experiments, row: Any) -> int:
    if row.ended_at is not None:
        return int(row.done)
    return sum((await service.results.done(row.tenant, row.id)).values())


def _places(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",") if each]
    except ValueError:
        raise InvalidRequest("places must be numbers separated by commas", param="places") from None
