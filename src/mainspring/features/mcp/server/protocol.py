"""The protocol's server over offers: lists in pages, errors in the protocol's codes, changes for those who listen."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import mcp.types as types
from mcp.server import Server
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError

from mainspring.core.errors import Forbidden, InvalidRequest, MainspringError, NotFound, RateLimited
from mainspring.core.types import Context
from mainspring.core.version import __version__
from mainspring.features.mcp.server.change_watch import Watching
from mainspring.features.mcp.server.offers import LEVEL, LEVELS, Call, Offer, Page, Result, text_result
from mainspring.serving.admit.rate_limits import Charge

T = TypeVar("T")
Ctx = ServerRequestContext[Any, Any]
ContextOf = Callable[[Ctx], Context]
"""The caller's context of a request of the protocol."""
NAME = "mainspring"
NOT_FOUND_BEFORE_2026 = -32002
# A reason why the caller may not go on: its own code, so that a client can wait instead of giving up.
REFUSED = -32010
MAX_COMPLETIONS = 100
MAX_ARGUMENTS = 64
_TTL_MS = 5_000
_LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
_log = logging.getLogger("mainspring.mcp")


class Protocol:
    """A server of the SDK whose handlers ask ``offers`` in their order. Each request counts as one to the limits of its
    key; ``context_of`` says whose it is."""

    def __init__(
        self, offers: Sequence[Offer], context_of: ContextOf, charge: Charge, *, watch_s: float, instructions: str = ""
    ) -> None:
        self._offers = tuple(offers)
        self._context_of = context_of
        self._charge = charge
        self.watching = Watching(self._offers, watch_s)
        hints = {name: CacheHint(ttl_ms=_TTL_MS, scope="private") for name in _LISTS}
        self.server: Server[Any] = Server(
            NAME,
            version=__version__,
            title="mainspring",
            instructions=instructions or None,
            cache_hints=hints,  # type: ignore[arg-type]
            get_tool_input_schema=self._input_schema,
            on_list_tools=self._tools,
            on_call_tool=self._call,
            on_list_resources=self._resources,
            on_list_resource_templates=self._templates,
            on_read_resource=self._read,
            on_subscriptions_listen=self._listen,
            on_list_prompts=self._prompts,
            on_get_prompt=self._prompt,
            on_completion=self._complete,
        )
        add = self.server.add_request_handler
        add("logging/setLevel", types.SetLevelRequestParams, self._level)
        add("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
        add("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)
        # Only the one who got a state may send it back; what it holds is sealed.
        security = RequestStateSecurity.ephemeral()
        security.bind_principal = lambda request: json.dumps(
            [(who := context_of(request).principal).tenant, who.key_id]
        )
        self.server.middleware.append(RequestStateBoundary(security, default_audience=NAME))

    def _input_schema(self, name: str) -> dict[str, Any] | None:
        return next((found for each in self._offers if (found := each.input_schema(name)) is not None), None)

    async def _tools(self, request: Ctx, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        async def work(call: Call) -> types.ListToolsResult:
            found: dict[str, types.Tool] = {}
            for offer in self._offers:
                for tool in await offer.tools(call):
                    found.setdefault(tool.name, tool)
            return types.ListToolsResult(tools=list(found.values()))

        return await self._within(request, work, charged=False)

    async def _call(self, request: Ctx, params: types.CallToolRequestParams) -> Result:
        async def work(call: Call) -> Result:
            for offer in self._offers:
                try:
                    found = await offer.call_tool(call, params)
                except MainspringError as error:
                    # A model reads this and can do better; an error of the protocol it would not see.
                    return text_result(error.told, error=True)
                if found is not None:
                    return found
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name[:100]}")

        # Tools charge what they do themselves.
        return await self._within(request, work, charged=False)

    async def _resources(self, request: Ctx, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        async def work(call: Call) -> types.ListResourcesResult:
            rows, cursor = await self._page(params, lambda offer, at: offer.resources(call, at))
            return types.ListResourcesResult(resources=list(rows), next_cursor=cursor)

        return await self._within(request, work)

    async def _templates(
        self, request: Ctx, _: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        async def work(call: Call) -> types.ListResourceTemplatesResult:
            found = [each for offer in self._offers for each in await offer.templates(call)]
            return types.ListResourceTemplatesResult(resource_templates=found)

        return await self._within(request, work, charged=False)

    async def _read(
        self, request: Ctx, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult | types.InputRequiredResult:
        async def work(call: Call) -> types.ReadResourceResult | types.InputRequiredResult:
            for offer in self._offers:
                if (found := await offer.read(call, params)) is not None:
                    return found
            raise NotFound(f"there is no resource {str(params.uri)[:200]}")

        return await self._within(request, work, data={"uri": str(params.uri)})

    async def _prompts(self, request: Ctx, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        async def work(call: Call) -> types.ListPromptsResult:
            rows, cursor = await self._page(params, lambda offer, at: offer.prompts(call, at))
            return types.ListPromptsResult(prompts=list(rows), next_cursor=cursor)

        return await self._within(request, work)

    async def _prompt(
        self, request: Ctx, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult:
        async def work(call: Call) -> types.GetPromptResult | types.InputRequiredResult:
            for offer in self._offers:
                if (found := await offer.prompt(call, params)) is not None:
                    return found
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name[:200]}")

        return await self._within(request, work)

    async def _complete(self, request: Ctx, params: types.CompleteRequestParams) -> types.CompleteResult:
        async def work(call: Call) -> types.CompleteResult:
            found: Sequence[str] = ()
            for offer in self._offers:
                if (values := await offer.complete(call, params)) is not None:
                    found = values
                    break
            shown = list(found[:MAX_COMPLETIONS])
            more = len(found) > len(shown)
            return types.CompleteResult(completion=types.Completion(values=shown, total=len(found), has_more=more))

        return await self._within(request, work)

    async def _listen(
        self, request: Ctx, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        return await self.watching.listen(Call(self._context_of(request), request), params)

    async def _subscribe(self, request: Ctx, params: types.SubscribeRequestParams) -> types.EmptyResult:
        async def work(call: Call) -> types.EmptyResult:
            await self.watching.subscribe(call, str(params.uri))
            return types.EmptyResult()

        return await self._within(request, work)

    async def _unsubscribe(self, request: Ctx, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        self.watching.unsubscribe(Call(self._context_of(request), request), str(params.uri))
        return types.EmptyResult()

    async def _level(self, request: Ctx, params: types.SetLevelRequestParams) -> types.EmptyResult:
        assert params.level in LEVELS
        request.session._connection.state[LEVEL] = params.level
        return types.EmptyResult()

    async def _page(
        self, params: types.PaginatedRequestParams | None, fetch: Callable[[Offer, str | None], Awaitable[Page]]
    ) -> Page:
        """The next page: offers follow each other, and a cursor says in which one the page begins."""
        index, at = _opened(params.cursor if params else None, len(self._offers))
        while index < len(self._offers):
            rows, rest = await fetch(self._offers[index], at)
            if rest is not None:
                return rows, _cursor(index, rest)
            index, at = index + 1, None
            if rows:
                return rows, (_cursor(index, None) if index < len(self._offers) else None)
        return (), None

    async def _within(
        self,
        request: Ctx,
        work: Callable[[Call], Awaitable[T]],
        *,
        charged: bool = True,
        data: dict[str, Any] | None = None,
    ) -> T:
        """``work`` for the caller, counted as a request where it is not counted elsewhere, and with its failures in
        the protocol's terms."""
        call = Call(self._context_of(request), request)
        try:
            if not charged:
                return await work(call)
            async with self._charge(call.context, 0):
                return await work(call)
        except MCPError:
            raise
        except MainspringError as error:
            raise _protocol_error(error, request.protocol_version, data) from None
        except Exception:
            _log.exception("unexpected failure in %s", request.method, extra={"trace_id": call.context.trace.trace_id})
            raise MCPError(types.INTERNAL_ERROR, "Internal error", {"trace_id": call.context.trace.trace_id}) from None


def _protocol_error(error: MainspringError, version: str, data: dict[str, Any] | None) -> MCPError:
    told: dict[str, Any] = {**(data or {}), "code": error.code, "status": error.status}
    if error.retry_after is not None:
        told["retry_after"] = round(error.retry_after, 3)
    if isinstance(error, NotFound):
        code = types.INVALID_PARAMS if version >= "2026" else NOT_FOUND_BEFORE_2026
    elif isinstance(error, InvalidRequest):
        code = types.INVALID_PARAMS
    elif isinstance(error, Forbidden | RateLimited):
        code = REFUSED
    else:
        code = types.INTERNAL_ERROR
    return MCPError(code, error.told, told)


def _cursor(index: int, at: str | None) -> str:
    return base64.urlsafe_b64encode(json.dumps([index, at]).encode()).decode()


def _opened(cursor: str | None, offers: int) -> tuple[int, str | None]:
    if cursor is None:
        return 0, None
    try:
        index, at = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not isinstance(index, int) or not 0 <= index < offers or not (at is None or isinstance(at, str)):
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise MCPError(types.INVALID_PARAMS, "Invalid cursor") from None
    return index, at
