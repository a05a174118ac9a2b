"""The SDK's dispatchers over our service: this is the module that imports them."""

from __future__ import annotations

import email.utils
import logging
from typing import Any

from a2a.extensions.common import HTTP_EXTENSION_HEADER, get_requested_extensions
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.response_helpers import build_error_response
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.server.routes.rest_dispatcher import RestDispatcher
from a2a.types import AgentCard
from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import ContentTypeNotSupportedError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mainspring.core import structure
from mainspring.core.errors import UnknownModel
from mainspring.core.types import Context, Principal
from mainspring.features.a2a.service import DOCUMENTS, A2aAgents
from mainspring.features.a2a.wire import cards
from mainspring.features.a2a.wire.handler import AGENT, CONTEXT, ROOT, Handler, extended_card

# Somebody without a key: in no group, with no collections.
NOBODY = Principal("", "")
_FRESH_S = 60
# Cards change with the settings and with what is served: both with a restart, or not noticed by this header.
_STARTED = email.utils.formatdate(usegmt=True)
_LATER = "application/a2a+json"
MOST_VALUES = 10_000
"""In the JSON of a request: the SDK takes some ten times as long for one as a parser does."""


class _Calls(ServerCallContextBuilder):
    """The context of a call: who asks, which agent, and the headers that the protocol reads."""

    def __init__(self, agents: A2aAgents) -> None:
        self._agents = agents

    def build(self, request: Request) -> ServerCallContext:
        state: dict[str, Any] = {"headers": dict(request.headers), CONTEXT: request.state.context}
        state |= {AGENT: request.path_params.get("agent", ""), ROOT: root(self._agents, request)}
        wanted = get_requested_extensions(request.headers.getlist(HTTP_EXTENSION_HEADER))
        return ServerCallContext(state=state, requested_extensions=wanted)


class Sdk:
    """What the routes call: JSON-RPC, HTTP+JSON and the cards."""

    def __init__(self, agents: A2aAgents) -> None:
        # Callers learn of refusals; what they sent does not belong in the log.
        logging.getLogger("a2a").setLevel(logging.ERROR)
        handler, calls = Handler(agents), _Calls(agents)
        self._agents = agents
        self._rpc = JsonRpcDispatcher(handler, calls, enable_v0_3_compat=True)
        self._rest = RestDispatcher(handler, calls)

    async def rpc(self, http: Request) -> Response:
        """A JSON-RPC request of 1.0 or 0.3."""
        if not _is_json(http):
            error = ContentTypeNotSupportedError("a request must be of the type application/json")
            return JSONResponse(build_error_response(None, error))
        structure.check(await http.body(), "an A2A request", values=MOST_VALUES)
        response: Response = await self._rpc.handle_requests(http)
        return response

    async def rest(self, operation: str, http: Request) -> Response:
        """An operation over HTTP+JSON, by the name of the dispatcher's method."""
        if http.method == "POST" and not _is_json(http):
            error = ContentTypeNotSupportedError("a request must be of the type application/json")
            return JSONResponse(build_rest_error_payload(error), 415)
        structure.check(await http.body(), "an A2A request", values=MOST_VALUES)
        response: Response = await getattr(self._rest, operation)(http)
        # The text of 1.0 has one media type and that of later ones another: who does not ask for the later gets JSON.
        if response.headers.get("content-type") == _LATER and _LATER not in http.headers.get("accept", ""):
            response.headers["content-type"] = "application/json"
        return response

    async def public_card(self, http: Request, agent: str) -> Response:
        """The card for anybody: with the agents that the settings make public."""
        public = self._agents.settings.public
        found = {each.name: each for each in await self._agents.visible(NOBODY)}
        if agent and agent not in found:
            raise UnknownModel(f"no agent {agent!r} is served")
        skills = [found[name] for name in public if name in found and cards.is_agent(found[name])]
        default = agent or self._agents.settings.agent or (DOCUMENTS if DOCUMENTS in found else "the default model")
        served = found.get(agent)
        shown = [served] if served is not None else skills
        legacy = self._agents.settings.legacy_cards
        card = cards.card(root(self._agents, http), served, shown, default, legacy=legacy)
        return _answered(http, card, "public")

    async def own_card(self, http: Request, context: Context, agent: str) -> Response:
        """The card of an agent for a caller with a key."""
        return _answered(http, await extended_card(self._agents, context, agent, root(self._agents, http)), "private")


def _is_json(http: Request) -> bool:
    """Whether the body says that it is JSON, or says nothing."""
    kind = http.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    return kind in ("application/json", _LATER)


def root(agents: A2aAgents, http: Request) -> str:
    """The server's address as callers know it."""
    return (agents.settings.url or str(http.base_url)).rstrip("/")


def _answered(http: Request, card: AgentCard, visibility: str) -> Response:
    content, tag = cards.body(card)
    # Without a configured address the card repeats the one that the request named: no cache may give it to others.
    headers = {"etag": tag, "cache-control": f"{visibility}, max-age={_FRESH_S}", "vary": "host, authorization"}
    headers["last-modified"] = _STARTED
    if tag in http.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")
