"""Agents over HTTP: list those that are served; make, change, restore and delete the tenant's own.

A change is a new version. ``If-Match`` with the version that was read refuses to overwrite somebody else's change.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.types import Context
from mainspring.features.agents.draft import Brief
from mainspring.features.agents.service import Agents, FixedAgent
from mainspring.features.agents.store import KeptAgent
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Free
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/agents"
Note = Annotated[str, Field(max_length=2_000)]
IfMatch = Annotated[str | None, Header(alias="if-match", description="Number of the version that you have read")]


class AgentBody(Body):
    """``POST /v1/agents`` and ``POST /v1/agents/{name}``: the definition of an agent, as in the guide of agents."""

    definition: Free
    note: Note = ""


class RestoreBody(Body):
    """``POST /v1/agents/{name}/restore``."""

    version: Annotated[int, Field(ge=1, lt=2**63)]
    note: Note = ""


class DraftBody(Body):
    """``POST /v1/agents/draft``."""

    company: Annotated[str, Field(min_length=1, max_length=200)]
    role: Annotated[str, Field(min_length=1, max_length=200)]
    scope: Annotated[str, Field(min_length=1, max_length=2_000)]
    model: Annotated[str, Field(max_length=128)] = ""


def router(agents: Agents, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["agents"], prefix=PREFIX)
    chats = Annotated[Context, Depends(access("chat"))]
    editors = Annotated[Context, Depends(access("agents"))]

    @routes.get("")
    async def list_agents(context: chats, page: AskedPage) -> HttpResponse:
        """The agents of the configuration and of plugins, then the tenant's own agents, by name."""
        body = list_body((await agents.store.page(context.principal, page)).map(agent_body))
        if page.after is None:
            body["data"] = [fixed_body(each) for each in agents.fixed.values()] + body["data"]
        return json_response(body)

    @routes.get("/{name}")
    async def get_agent(name: str, context: chats) -> HttpResponse:
        """An agent with its definition."""
        if name in agents.fixed:
            return json_response(fixed_body(agents.fixed[name]))
        return json_response(agent_body(await agents.store.get(context.principal, name)))

    @routes.post("", status_code=201)
    async def create_agent(body: AgentBody, context: editors) -> HttpResponse:
        """Create an agent. It is served under its name immediately."""
        agent = agents.made(body.definition)
        await _check_free(agents, agent.name, context)
        kept = await agents.store.put(context.principal, agent.name, body.definition, note=body.note, new=True)
        return json_response(agent_body(kept), status=201)

    @routes.post("/draft")
    async def draft_playbook(body: DraftBody, context: editors) -> HttpResponse:
        """Draft a playbook for this company, role and scope. A model writes it, it is checked, and it is not stored."""
        found = await agents.draft(Brief(body.company, body.role, body.scope), body.model, context)
        shown = {"description": found.description, "playbook": found.text, "attempts": found.attempts}
        return json_response({"object": "agent.draft", **shown})

    @routes.post("/{name}")
    async def change_agent(name: str, body: AgentBody, context: editors, seen: IfMatch = None) -> HttpResponse:
        """Create a new version. It is served immediately."""
        _check_own(agents, name)
        if agents.made(body.definition).name != name:
            raise InvalidRequest("an agent cannot be renamed", remedy="Create another agent", param="definition.name")
        kept = await agents.store.put(context.principal, name, body.definition, note=body.note, seen=_version(seen))
        return json_response(agent_body(kept))

    @routes.delete("/{name}")
    async def delete_agent(name: str, context: editors) -> HttpResponse:
        """Delete an agent with all its versions."""
        _check_own(agents, name)
        count = await agents.store.delete(context.principal, name)
        return json_response({"id": name, "object": "agent", "deleted": True, "versions": count})

    _versions(routes, agents, access)
    return routes


def _versions(routes: APIRouter, agents: Agents, access: Access) -> None:
    editors = Annotated[Context, Depends(access("agents"))]

    @routes.get("/{name}/versions")
    async def list_agent_versions(name: str, context: editors) -> HttpResponse:
        """All versions of an agent, newest first."""
        _check_own(agents, name)
        found = await agents.store.history(context.principal, name)
        return json_response({"object": "list", "data": [agent_body(each) for each in found], "has_more": False})

    @routes.post("/{name}/restore")
    async def restore_agent(name: str, body: RestoreBody, context: editors) -> HttpResponse:
        """Create a new version with the content of an earlier one."""
        _check_own(agents, name)
        earlier = await agents.store.get(context.principal, name, body.version)
        agents.made(earlier.definition)
        note = body.note or f"version {body.version} again"
        return json_response(agent_body(await agents.store.put(context.principal, name, earlier.definition, note=note)))


async def _check_free(agents: Agents, name: str, context: Context) -> None:
    taken = name in agents.fixed or agents.served(name, context.principal)
    if taken:
        raise Conflict(f"the name {name} is already in use", remedy="Use another name")


def _check_own(agents: Agents, name: str) -> None:
    if name in agents.fixed:
        raise NotFound(
            f"the agent {name} comes from the {agents.fixed[name].source}", remedy="Change it there", param="name"
        )


def _version(seen: str | None) -> int | None:
    if seen is None:
        return None
    text = seen.strip('"')
    if not text.isdecimal() or len(text) > 18:
        raise InvalidRequest("If-Match must be the number of the version that you have read", param="if-match")
    return int(text)


def agent_body(kept: KeptAgent) -> dict[str, Any]:
    """An ``agent`` object."""
    return {
        "id": kept.name,
        "object": "agent",
        "source": "api",
        "version": kept.version,
        "description": kept.definition.get("description", ""),
        "definition": dict(kept.definition),
        "note": kept.note,
        "created_by": kept.owner,
        "created_at": int(kept.created_at),
    }


def fixed_body(fixed: FixedAgent) -> dict[str, Any]:
    """The same of an agent of the configuration or of a plugin; of those in Python without a definition."""
    agent = fixed.responder.agent
    return {
        "id": agent.name,
        "object": "agent",
        "source": fixed.source,
        "version": fixed.responder.version,
        "description": agent.description,
        "definition": None if fixed.definition is None else dict(fixed.definition),
    }
