"""Changes, for clients that listen: what a caller sees is looked at again and again while it does.

A change is found by comparing what this caller may see, so that nobody learns of what is hidden from them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import mcp.types as types
from mcp.shared.exceptions import MCPError

from mainspring.core.errors import MainspringError
from mainspring.features.mcp.server.offers import Call, Offer

MAX_URIS = 100
MAX_STREAMS = 200
"""Streams of one tenant."""
# A stream ends after this time, so that a key that was revoked does not listen for ever; clients listen again.
STREAM_S = 600.0
_SUBSCRIBED = "subscribed"
_META = "io.modelcontextprotocol/subscriptionId"
Look = Callable[[], Awaitable[Any]]


class Watching:
    """Looks every ``every_s`` seconds at what the listening clients see."""

    def __init__(self, offers: Sequence[Offer], every_s: float) -> None:
        self._offers = offers
        self._every_s = every_s
        self._streams: dict[str, int] = {}

    async def listen(
        self, call: Call, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """One stream (2026-07-28): tells what is honoured, then each change."""
        wanted = params.notifications
        uris = list(dict.fromkeys(map(str, wanted.resource_subscriptions or ())))
        tenant = call.context.principal.tenant
        if len(uris) > MAX_URIS:
            raise MCPError(types.INVALID_PARAMS, f"at most {MAX_URIS} resources can be watched")
        if self._streams.get(tenant, 0) >= MAX_STREAMS:
            raise MCPError(types.INTERNAL_ERROR, "too many streams are open")
        meta = {_META: call.request.request_id}
        honoured = types.SubscriptionFilter(
            tools_list_changed=wanted.tools_list_changed or None,
            prompts_list_changed=wanted.prompts_list_changed or None,
            resources_list_changed=wanted.resources_list_changed or None,
            resource_subscriptions=uris or None,
        )
        acknowledged = types.SubscriptionsAcknowledgedNotification(
            params=types.SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=meta)
        )
        self._streams[tenant] = self._streams.get(tenant, 0) + 1
        try:
            looks = self._looks(call, honoured, uris)
            before = {each: await look() for each, look in looks.items()}
            await call.request.session.send_notification(acknowledged, related_request_id=call.request.request_id)
            async with asyncio.timeout(STREAM_S):
                while True:
                    await asyncio.sleep(self._every_s)
                    for each, look in looks.items():
                        if (now := await look()) != before[each]:
                            before[each] = now
                            told = _notification(each, meta)
                            await call.request.session.send_notification(
                                told, related_request_id=call.request.request_id
                            )
        except TimeoutError:
            pass
        finally:
            self._streams[tenant] -= 1
            if not self._streams[tenant]:
                del self._streams[tenant]
        return types.SubscriptionsListenResult(_meta=meta)

    async def subscribe(self, call: Call, uri: str) -> None:
        """Watch one resource for a session (2025-11-25). Raises ``MCPError``."""
        connection = call.request.session._connection
        subscribed: dict[str, str | None] = connection.state.setdefault(_SUBSCRIBED, {})
        if len(subscribed) >= MAX_URIS and uri not in subscribed:
            raise MCPError(types.INVALID_PARAMS, f"at most {MAX_URIS} resources can be watched")
        first = not subscribed
        subscribed[uri] = await self._version(call, uri)
        if first and not connection.state.get("watch"):
            task = asyncio.create_task(self._follow(call, subscribed), name="mcp: subscriptions")
            connection.state["watch"] = task
            connection.exit_stack.callback(task.cancel)

    def unsubscribe(self, call: Call, uri: str) -> None:
        """Watch it no more."""
        call.request.session._connection.state.get(_SUBSCRIBED, {}).pop(uri, None)

    async def _follow(self, call: Call, subscribed: dict[str, str | None]) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            for uri, before in list(subscribed.items()):
                now = await self._version(call, uri)
                if now != before and uri in subscribed:
                    subscribed[uri] = now
                    await call.request.session.send_resource_updated(uri)

    def _looks(self, call: Call, honoured: types.SubscriptionFilter, uris: list[str]) -> dict[str, Look]:
        async def tools() -> Any:
            return [each.model_dump_json() for offer in self._offers for each in await offer.tools(call)]

        async def prompts() -> Any:
            return [await _all(offer.prompts, call) for offer in self._offers]

        async def resources() -> Any:
            return [await _all(offer.resources, call) for offer in self._offers]

        looks: dict[str, Look] = {}
        if honoured.tools_list_changed:
            looks["tools"] = tools
        if honoured.prompts_list_changed:
            looks["prompts"] = prompts
        if honoured.resources_list_changed:
            looks["resources"] = resources
        for uri in uris:
            looks[f"uri {uri}"] = lambda uri=uri: self._version(call, uri)  # type: ignore[misc]
        return looks

    async def _version(self, call: Call, uri: str) -> str | None:
        for offer in self._offers:
            try:
                if (found := await offer.version(call, uri)) is not None:
                    return found
            except MainspringError:
                continue
        return None


async def _all(fetch: Callable[[Call, str | None], Awaitable[Any]], call: Call) -> str:
    """A digest of a whole list."""
    digest = hashlib.sha256()
    cursor: str | None = None
    while True:
        rows, cursor = await fetch(call, cursor)
        for row in rows:
            digest.update(row.model_dump_json().encode())
        if cursor is None:
            return digest.hexdigest()


def _notification(kind: str, meta: dict[str, Any]) -> Any:
    params = types.NotificationParams(_meta=meta)
    if kind == "tools":
        return types.ToolListChangedNotification(params=params)
    if kind == "prompts":
        return types.PromptListChangedNotification(params=params)
    if kind == "resources":
        return types.ResourceListChangedNotification(params=params)
    updated = types.ResourceUpdatedNotificationParams(uri=kind.removeprefix("uri "), _meta=meta)
    return types.ResourceUpdatedNotification(params=updated)
