"""Routes of the loop of improvement."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParam
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.improve.policy.policy import Policy
from mainspring.features.improve.service import Improve
from mainspring.features.improve.shapes import campaign_body, policy_body
from mainspring.http.access import Access, acting, check_lasting
from mainspring.http.bodies import Body
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/improve"
Application = Annotated[str, PathParam(min_length=1, max_length=256)]
Limit = Annotated[int, Query(ge=1, le=100, description="Maximum entries per list")]


class ReasonBody(Body):
    """The reason for a decision; it is recorded in the event."""

    reason: Annotated[str, Field(max_length=500)] = ""


class PolicyBody(Policy):
    """``PUT /v1/improve/policies/{application}``. If not ``enabled``, only people start campaigns."""

    enabled: bool = True

    def policy(self) -> Policy:
        return Policy.model_validate(self.model_dump(exclude={"enabled"}, exclude_none=True))


def router(service: Improve, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["improve"], prefix=PREFIX)
    readers = Annotated[Context, Depends(access("improve"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("")
    async def picture(context: readers) -> HttpResponse:
        """Each application with a policy: its current versions, its running campaign, and why the last ones ended."""
        return json_response({"object": "list", "data": await service.picture(context.principal)})

    @routes.get("/policies")
    async def list_policies(context: readers) -> HttpResponse:
        """The policies in force."""
        found = await service.policies.all(context.principal.tenant)
        seen = [policy_body(each) for each in found if each.groups <= context.principal.groups]
        return json_response({"object": "list", "data": seen})

    @routes.put("/policies/{application}")
    async def put_policy(application: Application, body: PolicyBody, context: admins) -> HttpResponse:
        """Set the policy of an application. Each change is a new version. Campaigns use the rights of this key."""
        check_lasting(context, "a policy")
        made = await service.put(context.principal, application, body.policy(), acting(context), enabled=body.enabled)
        return json_response(policy_body(made))

    @routes.get("/policies/{application}")
    async def get_policy(
        application: Application,
        context: readers,
        version: Annotated[int | None, Query(ge=1, description="Number of an earlier version")] = None,
    ) -> HttpResponse:
        """The policy in force, or an earlier version."""
        return json_response(policy_body(await service.policies.get(context.principal, application, version)))

    @routes.get("/policies/{application}/versions")
    async def list_policy_versions(application: Application, context: readers) -> HttpResponse:
        """All versions of a policy, newest first."""
        found = await service.policies.versions(context.principal, application)
        return json_response({"object": "list", "data": [policy_body(each) for each in found]})

    _acting(routes, service, admins)
    _campaigns(routes, service, readers, admins)
    _lineage(routes, service, readers)
    return routes


def _acting(routes: APIRouter, service: Improve, admins: Any) -> None:
    @routes.delete("/policies/{application}")
    async def delete_policy(application: Application, context: admins) -> HttpResponse:
        """Delete a policy. Promoted versions stay, and a running campaign continues."""
        await service.policies.get(context.principal, application)
        await service.policies.remove(context.principal.tenant, application, acting(context))
        return json_response({"application": application, "object": "improve.policy", "deleted": True})

    @routes.post("/policies/{application}/run", status_code=202)
    async def run_policy(application: Application, context: admins) -> HttpResponse:
        """Start a campaign now."""
        made = await service.run(context.principal, application, context.principal.key_id)
        return json_response(campaign_body(made), status=202)

    @routes.post("/applications/{application}/undo")
    async def undo(application: Application, body: ReasonBody, context: admins) -> HttpResponse:
        """Roll back the last promotion."""
        return json_response(await service.undo(context.principal, application, body.reason))


def _campaigns(routes: APIRouter, service: Improve, readers: Any, admins: Any) -> None:
    @routes.get("/campaigns")
    async def list_campaigns(
        context: readers,
        page: AskedPage,
        application: Annotated[str, Query(max_length=256, description="Only campaigns of this application")] = "",
    ) -> HttpResponse:
        """Campaigns, with the outcome of each recipe and its reason."""
        found = await service.campaigns.page(context.principal, page, application)
        return json_response(list_body(found.map(campaign_body)))

    @routes.get("/campaigns/{campaign}")
    async def get_campaign(campaign: str, context: readers) -> HttpResponse:
        """A campaign with all its transitions, with reasons and figures."""
        found = await service.campaigns.get(context.principal, campaign)
        steps = await service.campaigns.steps(found)
        return json_response({**campaign_body(found), "steps": steps})

    @routes.post("/campaigns/{campaign}/stop")
    async def stop_campaign(campaign: str, body: ReasonBody, context: admins) -> HttpResponse:
        """Stop a campaign that has promoted nothing. Its candidates get no traffic."""
        return json_response(campaign_body(await service.stop(context.principal, campaign, body.reason)))


def _lineage(routes: APIRouter, service: Improve, readers: Any) -> None:
    @routes.get("/lineage/answers/{answer_id}")
    async def answer_lineage(answer_id: str, context: readers, limit: Limit = 20) -> HttpResponse:
        """The variant that gave an answer, the feedback behind that variant, and the variants made from the answer."""
        return json_response(await service.tracing.of_answer(context.principal, answer_id, limit))

    @routes.get("/lineage/variants/{variant}")
    async def variant_lineage(variant: str, context: readers, limit: Limit = 20) -> HttpResponse:
        """A variant, by ID or version: the feedback that it was made from, and the answers that it gave."""
        return json_response(await service.tracing.of_variant(context.principal, variant, limit))

    @routes.get("/lineage/feedback/{event_id}")
    async def feedback_lineage(event_id: str, context: readers, limit: Limit = 20) -> HttpResponse:
        """The variants made from a piece of feedback, and the answers that they gave."""
        return json_response(await service.tracing.of_feedback(context.principal, event_id, limit))
