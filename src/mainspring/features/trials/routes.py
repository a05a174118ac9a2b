"""Routes of online experiments, and of outcomes."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParam
from fastapi import Request as HttpRequest
from pydantic import AfterValidator, Field, model_validator
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.trials.definitions import Trial
from mainspring.features.trials.outcomes import PREFIX as IDS
from mainspring.features.trials.outcomes import Episode, Outcomes
from mainspring.features.trials.service import Trials
from mainspring.features.trials.shapes import outcome_body, trial_body, verdict_body
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Name
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.openai.response_ids import answer_id as answer_of
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/trials"
TrialName = Annotated[str, PathParam(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Identifier = Annotated[str, Field(min_length=1, max_length=256)]


class EndBody(Body):
    """``POST /v1/trials/{trial}/end``: the arm that gets all traffic; without it, the route decides."""

    promote: Annotated[str, Field(max_length=256)] = ""


class OutcomeBody(Body):
    """``POST /v1/outcomes``: the outcome of a session, a run (by its trace), or one answer."""

    metric: Name
    value: float
    answer_id: Annotated[Identifier, AfterValidator(answer_of)] | None = None
    session_id: Identifier | None = None
    trace_id: Identifier | None = None

    @model_validator(mode="after")
    def _one(self) -> "OutcomeBody":
        if sum(each is not None for each in (self.answer_id, self.session_id, self.trace_id)) != 1:
            raise ValueError("answer_id: send exactly one of answer_id, session_id and trace_id")
        return self

    @property
    def episode(self) -> tuple[Episode, str]:
        """The subject of the trial."""
        if self.answer_id is not None:
            return "answer", self.answer_id
        return ("session", self.session_id) if self.session_id is not None else ("trace", self.trace_id or "")


def router(service: Trials, access: Access) -> APIRouter:
    """The routes of trials."""
    routes = APIRouter(route_class=JsonRoute, tags=["trials"], prefix=PREFIX)
    readers = Annotated[Context, Depends(access("trials"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("")
    async def list_trials(context: readers) -> HttpResponse:
        """All trials, by name."""
        found = await service.all(context.principal.tenant)
        return json_response({"object": "list", "data": [trial_body(each) for each in found]})

    @routes.post("/{trial}", status_code=201)
    async def start_trial(trial: TrialName, body: Trial, context: admins) -> HttpResponse:
        """Start a trial over the arms of a route, in your tenant's traffic."""
        await service.define(context.principal, trial, body)
        return json_response(trial_body(await service.get(context.principal.tenant, trial)), status=201)

    @routes.get("/{trial}")
    async def get_trial(trial: TrialName, context: readers) -> HttpResponse:
        """A trial with its verdict, which is valid at any time. Events of the last seconds may be missing."""
        state = await service.get(context.principal.tenant, trial)
        return json_response(verdict_body(state, await service.verdict(state)))

    @routes.post("/{trial}/end")
    async def end_trial(trial: TrialName, body: EndBody, context: admins) -> HttpResponse:
        """End a trial. Its winner, if any, keeps all traffic until the trial is deleted."""
        return json_response(trial_body(await service.end(context.principal, trial, body.promote)))

    @routes.delete("/{trial}")
    async def delete_trial(trial: TrialName, context: admins) -> HttpResponse:
        """Delete a trial with its units. The route decides about traffic again, and the events stay."""
        await service.remove(context.principal, trial)
        return json_response({"id": trial, "object": "trial", "deleted": True})

    return routes


def outcome_router(outcomes: Outcomes, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes of outcomes."""
    routes = APIRouter(route_class=JsonRoute, tags=["trials"])
    chats = Annotated[Context, Depends(access("chat"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post("/v1/outcomes", status_code=201)
    async def tell_outcome(
        http: HttpRequest, body: OutcomeBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Report an outcome of an episode. If a metric has several values, the latest counts."""
        episode, about = body.episode

        async def work() -> HttpResponse:
            made = await outcomes.tell(context.principal, episode, about, body.metric, body.value)
            return json_response(outcome_body(made), status=201)

        async def shown(event_id: str) -> HttpResponse:
            return json_response(outcome_body(await outcomes.get(context.principal.tenant, event_id)), status=201)

        return await idempotency.once(key, "outcomes", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("/v1/outcomes")
    async def list_outcomes(
        context: admins,
        page: AskedPage,
        about: Annotated[str | None, Query(max_length=256, description="ID of an answer, or name of a session")] = None,
    ) -> HttpResponse:
        """Outcomes that your groups may see."""
        found = await outcomes.page(context.principal, page, about)
        return json_response(list_body(found.map(outcome_body)))

    return routes
