"""Prompts of the registry as the protocol's prompts: those whose label ``production`` points to a version."""

from __future__ import annotations

from collections.abc import Sequence

import mcp.types as types

from mainspring.core.errors import NotFound
from mainspring.core.scopes import with_implied
from mainspring.core.types import PromptUse
from mainspring.features.mcp.server.offers import Call, Offer, Page
from mainspring.serving.prompts.registry import PRODUCTION, rendered, values
from mainspring.stores.sql import pages
from mainspring.stores.work.prompts import Prompts, PromptVersion

SCOPE = "prompts"


class RegistryPrompts(Offer):
    """The tenant's prompts. Their texts may be a secret of those who write them: a key without the scope ``prompts``
    reads those that ``shown`` names (``*``: all)."""

    def __init__(self, store: Prompts, shown: Sequence[str], page: int) -> None:
        self._store = store
        self._shown = frozenset(shown)
        self._page = page

    def _may(self, call: Call, name: str) -> bool:
        return name in self._shown or "*" in self._shown or SCOPE in with_implied(call.context.principal.scopes)

    async def prompts(self, call: Call, cursor: str | None) -> Page:
        tenant = call.context.principal.tenant
        found = await self._store.page(tenant, pages.Page(self._page, "asc", after=cursor))
        listed = []
        for info in found.rows:
            if self._may(call, info.name) and any(
                each.label == PRODUCTION and each.version is not None for each in info.labels
            ):
                listed.append(_prompt(await self._store.find(tenant, info.name, PRODUCTION)))
        return listed, found.rows[-1].name if found.more else None

    async def prompt(self, call: Call, params: types.GetPromptRequestParams) -> types.GetPromptResult | None:
        if not self._may(call, params.name):
            return None
        try:
            found = await self._store.find(call.context.principal.tenant, params.name, PRODUCTION)
        except NotFound:
            return None
        given = values(params.arguments or {}, "arguments")
        use = rendered(found, PromptUse(params.name, PRODUCTION, given), "arguments")
        messages = [
            types.PromptMessage(
                role="assistant" if each.role == "assistant" else "user",
                content=types.TextContent(type="text", text=each.content),
            )
            for each in use.rendered
        ]
        return types.GetPromptResult(description=_about(found), messages=messages)

    async def complete(self, call: Call, params: types.CompleteRequestParams) -> Sequence[str] | None:
        if not isinstance(params.ref, types.PromptReference) or not self._may(call, params.ref.name):
            return None
        # Variables are free text, so there is nothing to choose from.
        return ()


def _about(version: PromptVersion) -> str:
    return version.note or f"Version {version.version} of the prompt {version.name}"


def _prompt(version: PromptVersion) -> types.Prompt:
    arguments = [types.PromptArgument(name=each, required=True) for each in version.variables]
    return types.Prompt(name=version.name, description=_about(version), arguments=arguments)
