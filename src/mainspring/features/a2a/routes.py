"""Routes of A2A: the cards, JSON-RPC and HTTP+JSON, for the server as a whole and for each agent.

The SDK reads and writes the protocol. It is imported with the first request: a server whose callers speak no A2A does
not load it.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Forbidden, MissingExtra, NotFound, Unauthenticated
from mainspring.core.types import Context
from mainspring.features.a2a.errors import ERRORS
from mainspring.features.a2a.service import A2aAgents
from mainspring.http.access import Access
from mainspring.http.request_body import JsonRoute

if TYPE_CHECKING:
    from mainspring.features.a2a.wire.dispatch import Sdk

BASE, WELL_KNOWN = "/a2a", "/.well-known/agent-card.json"
Endpoint = Callable[..., Awaitable[HttpResponse]]
STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


def named(
    agent: Annotated[str, Path(min_length=1, max_length=256, description="Name of an agent that is served")],
) -> str:
    """The agent that an address names."""
    return agent


def task_named(id: Annotated[str, Path(max_length=128, description="ID of the task")]) -> str:  # noqa: A002
    return id


def webhook_named(push_id: Annotated[str, Path(max_length=128, description="ID of the webhook")]) -> str:
    return push_id


def history_of(
    length: Annotated[
        int | None, Query(alias="historyLength", ge=0, description="Number of messages in the history")
    ] = None,
) -> int | None:
    return length


def listed(
    contextId: Annotated[str | None, Query(max_length=128)] = None,  # noqa: N803
    status: Annotated[str | None, Query(max_length=64)] = None,
    pageSize: Annotated[str | None, Query(max_length=16, description="Tasks per page, 1 to 100")] = None,  # noqa: N803
    pageToken: Annotated[str | None, Query(max_length=512)] = None,  # noqa: N803
    historyLength: Annotated[str | None, Query(max_length=16)] = None,  # noqa: N803
    statusTimestampAfter: Annotated[str | None, Query(max_length=64)] = None,  # noqa: N803
    includeArtifacts: Annotated[str | None, Query(max_length=8)] = None,  # noqa: N803
) -> None:
    """The parameters of a list of tasks. The SDK reads them, and its errors name them."""


def router(agents: A2aAgents, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["a2a"], responses=ERRORS)

    @cache
    def sdk() -> "Sdk":
        try:
            from mainspring.features.a2a.wire.dispatch import Sdk
        except ImportError as error:
            raise MissingExtra("A2A needs its SDK", remedy="pip install 'mainspring[a2a]'") from error
        return Sdk(agents)

    @routes.get(WELL_KNOWN)
    async def server_card(http: HttpRequest) -> HttpResponse:
        """The agent card of this server."""
        return await sdk().public_card(http, "")

    _cards(routes, agents, access, sdk)
    for base, of in ((BASE, []), (BASE + "/{agent}", [Depends(named)])):
        _operations(routes, agents, access, sdk, base, of)
    return routes


def _cards(routes: APIRouter, agents: A2aAgents, access: Access, sdk: Callable[[], "Sdk"]) -> None:
    chats = access("chat")

    @routes.get(BASE + "/{agent}" + WELL_KNOWN)
    async def agent_card(http: HttpRequest, agent: Annotated[str, Depends(named)]) -> HttpResponse:
        """The card of one agent. Without a key, only agents in `a2a.public` have one."""
        if agent in agents.settings.public:
            return await sdk().public_card(http, agent)
        try:
            context = await chats.admit(http)
        except (Unauthenticated, Forbidden) as error:
            raise NotFound(
                "there is no public card with that name", remedy="Send an API key to read the other cards"
            ) from error
        return await sdk().own_card(http, context, agent)


def _operations(
    routes: APIRouter, agents: A2aAgents, access: Access, sdk: Callable[[], "Sdk"], base: str, of: list[Any]
) -> None:
    chats = Annotated[Context, Depends(access("chat"))]
    keyed = Depends(access("chat"))
    task, webhook, history, lists = (Depends(each) for each in (task_named, webhook_named, history_of, listed))

    async def rpc(http: HttpRequest) -> HttpResponse:
        """JSON-RPC: all operations of A2A."""
        return await sdk().rpc(http)

    async def send(http: HttpRequest, context: chats) -> HttpResponse:
        await agents.store.check_room(context.principal)
        return await sdk().rest("on_message_send", http)

    async def stream(http: HttpRequest, context: chats) -> HttpResponse:
        await agents.store.check_room(context.principal)
        return await sdk().rest("on_message_send_stream", http)

    def rest(operation: str) -> Endpoint:
        async def endpoint(http: HttpRequest) -> HttpResponse:
            return await sdk().rest(operation, http)

        endpoint.__name__ = operation.removeprefix("on_")
        return endpoint

    one, hooks = f"{base}/tasks/{{id}}", f"{base}/tasks/{{id}}/pushNotificationConfigs"
    subscribed = rest("on_subscribe_to_task")
    for method, path, endpoint, needs in (
        ("POST", base, rpc, []),
        ("POST", f"{base}/message:send", send, []),
        ("POST", f"{base}/message:stream", stream, []),
        ("GET", f"{base}/tasks", rest("list_tasks"), [lists]),
        ("POST", f"{one}:cancel", rest("on_cancel_task"), [task]),
        ("GET", f"{one}:subscribe", subscribed, [task]),
        ("POST", f"{one}:subscribe", subscribed, [task]),
        ("GET", one, rest("on_get_task"), [task, history]),
        ("POST", hooks, rest("set_push_notification"), [task]),
        ("GET", hooks, rest("list_push_notifications"), [task]),
        ("GET", f"{hooks}/{{push_id}}", rest("get_push_notification"), [task, webhook]),
        ("DELETE", f"{hooks}/{{push_id}}", rest("delete_push_notification"), [task, webhook]),
        ("GET", f"{base}/extendedAgentCard", rest("handle_authenticated_agent_card"), []),
    ):
        told = STREAMS if endpoint in (rpc, stream, subscribed) else None
        # Some clients of JSON-RPC add a slash to the address of a card.
        if endpoint is rpc:
            routes.add_api_route(
                f"{path}/", endpoint, methods=[method], dependencies=[*of, keyed], include_in_schema=False
            )
        routes.add_api_route(path, endpoint, methods=[method], dependencies=[*of, *needs, keyed], responses=told)
