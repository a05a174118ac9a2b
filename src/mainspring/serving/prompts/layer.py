"""Puts requests under the prompts that they, or the settings, name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.path import Layer
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, PromptUse, Request, Responder, Response
from mainspring.core.variants import application_of
from mainspring.serving.prompts.registry import PromptRegistry, Reference
from mainspring.serving.ring.ports import Tracing
from mainspring.serving.ring.registry import Registry

HEADER = "x-mainspring-prompt"
_SYSTEM = ("system", "developer")
_OWN = ("application", "collection")


class PromptChoice:
    """The prompt of a request, and its use: the prompt that the request names, else the one of the settings."""

    def __init__(self, prompts: PromptRegistry | None, registry: Registry, settings: Settings) -> None:
        self._prompts = prompts
        self._registry = registry
        named: Mapping[str, str] = settings.serving.system_prompts
        self._models = {name: Reference.read(text) for name, text in named.items()}
        self._documents = Reference.read(settings.rag.prompt) if settings.rag.prompt else None

    def concerns(self, request: ChatRequest) -> bool:
        """Whether there may be one."""
        named = request.prompt is not None or self._documents is not None
        return named or application_of(request.model) in self._models

    async def applied(self, request: ChatRequest, context: Context) -> ChatRequest:
        """The request with its prompt; unchanged if there is none.

        Models get the prompt's messages; applications get it in place of their own instructions. A model's default
        counts if the conversation has no system message. Raises ``NotFound``, ``UnknownModel``, ``InvalidRequest``
        naming variables, and ``SettingsError`` for what the settings name.
        """
        if request.prompt is not None:
            use = request.prompt
            if use.name or not use.rendered:
                # One without a name comes from this program, which tries prompts before a tenant owns them.
                if self._prompts is None:
                    raise Unsupported("there is no registry of prompts here", param="prompt")
                use = await self._prompts.resolve(context.principal.tenant, use)
            served = await self._registry.find(request.model, context.principal)
            return self._handed(request, use) if served.kind in _OWN else self._under(request, use)
        if self._prompts is None:
            return request
        name = application_of(request.model)
        model = self._models.get(name)
        if model is not None:
            if any(message.role in _SYSTEM for message in request.messages):
                return request
            use = await self._prompts.configured(model, f"serving.system_prompts.{name}")
            return self._under(request, use)
        if self._documents is not None:
            served = await self._registry.find(request.model, context.principal)
            if served.kind in _OWN:
                return self._handed(request, await self._prompts.configured(self._documents, "rag.prompt"))
        return request

    def _under(self, request: ChatRequest, use: PromptUse) -> ChatRequest:
        """System messages come first, the prompt's before the request's: not every template accepts them elsewhere."""
        both = [use.rendered, request.messages]
        told = [each for messages in both for each in messages if each.role in _SYSTEM]
        said = [each for messages in both for each in messages if each.role not in _SYSTEM]
        use = dataclasses.replace(use, asked=request.messages)
        return dataclasses.replace(request, messages=(*told, *said), prompt=use)

    def _handed(self, request: ChatRequest, use: PromptUse) -> ChatRequest:
        if any(message.role not in _SYSTEM for message in use.rendered):
            raise InvalidRequest(
                f"{request.model} takes prompts of system messages only, and {use.name!r} has others", param="prompt"
            )
        return dataclasses.replace(request, prompt=dataclasses.replace(use, asked=request.messages))


class UsePrompt(Layer):
    """Below the session: the session stores the messages as sent, and the prompt is always the label's current one.
    Above the record and the caches: both contain the version."""

    def __init__(self, inner: Responder, prompting: PromptChoice, tracing: Tracing) -> None:
        super().__init__(inner)
        self._prompting = prompting
        self._tracing = tracing

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest) or not self._prompting.concerns(request):
            return await self.inner.respond(request, context)
        with self._tracing.span("prompt", context) as span:
            under = await self._prompting.applied(request, context)
            use = under.prompt
            if use is not None:
                span.set("mainspring.prompt.name", use.name)
                span.set("mainspring.prompt.version", use.version)
        response = await self.inner.respond(under, context)
        if use is None or not use.name:
            return response
        return response.with_head(headers={**response.head.headers, HEADER: f"{use.name}@{use.version}"})
