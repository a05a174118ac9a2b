"""What answers as an application with candidates in use."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mainspring.core.path import Layer
from mainspring.core.types import ChatRequest, Context, Message, PromptUse, Request, Responder, Response
from mainspring.features.variants.shots import Shots
from mainspring.features.variants.values import PromptValue
from mainspring.serving.prompts.registry import PromptRegistry
from mainspring.serving.route.fallback import named

_SYSTEM = ("system", "developer")


class Varied(Layer):
    """Answers under the ``application``'s name by means of the candidates ``ids``. The answer names ``variant``.

    Candidates never change, so their ids are part of the fingerprint under which answers are cached.
    """

    def __init__(self, inner: Responder, application: str, ids: Sequence[str], variant: str) -> None:
        super().__init__(inner)
        self._application = application
        self._ids = "+".join(ids)
        self._variant = variant

    def fingerprint(self, request: Request, context: Context) -> str | None:
        found = self.inner.fingerprint(named(request, self._application), context)
        return None if found is None else f"{self._ids}:{found}"

    async def respond(self, request: Request, context: Context) -> Response:
        response = await self.inner.respond(named(request, self._application), context)
        return response.with_head(variant=self._variant)


class Prompted(Layer):
    """Puts requests under a prompt of the registry, with examples. A prompt that a request names itself stays.

    ``handed``: the application gets the prompt in place of its ``own`` instructions; a chat model reads it as messages.
    """

    def __init__(
        self,
        inner: Responder,
        prompts: PromptRegistry,
        prompt: PromptValue | None,
        shots: Shots | None,
        *,
        handed: bool,
        own: str = "",
    ) -> None:
        super().__init__(inner)
        self._prompts = prompts
        self._prompt = prompt
        self._shots = shots
        self._handed = handed
        self._own = own

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest):
            return await self.inner.respond(request, context)
        asked = request
        if self._prompt is not None and (request.prompt is None or request.prompt.default):
            asked = await self._under(request, self._prompt, context)
        if self._shots is not None:
            asked = await self._shown(asked, self._shots, context)
        return await self.inner.respond(asked, context)

    async def _under(self, request: ChatRequest, prompt: PromptValue, context: Context) -> ChatRequest:
        # By default: an answer that no model writes ignores it.
        if prompt.text:
            use = PromptUse("", default=True, rendered=(Message("system", prompt.text),))
        else:
            wanted = PromptUse(prompt.prompt, str(prompt.version), default=True)
            use = await self._prompts.resolve(context.principal.tenant, wanted)
        messages = request.messages if request.prompt is None else request.prompt.asked or request.messages
        use = dataclasses.replace(use, asked=messages)
        if self._handed:
            return dataclasses.replace(request, prompt=use)
        if any(message.role in _SYSTEM for message in messages):
            # A conversation with instructions of its own keeps them.
            return request
        told = [each for each in use.rendered if each.role in _SYSTEM]
        said = [each for each in use.rendered if each.role not in _SYSTEM]
        return dataclasses.replace(request, messages=(*told, *said, *messages), prompt=use)

    async def _shown(self, request: ChatRequest, shots: Shots, context: Context) -> ChatRequest:
        question = next((each.content for each in reversed(request.messages) if each.role == "user"), "")
        chosen = await shots.chosen(question, context)
        if not chosen:
            return request
        if self._handed:
            text = "\n\n".join(f"Question: {each.question}\nAnswer: {each.answer}" for each in chosen)
            told = Message("system", f"Examples of good answers to other questions:\n\n{text}")
            use = request.prompt or PromptUse("", default=True, asked=request.messages)
            rendered = use.rendered or ((Message("system", self._own),) if self._own else ())
            return dataclasses.replace(request, prompt=dataclasses.replace(use, rendered=(*rendered, told)))
        pairs = [
            message
            for each in chosen
            for message in (Message("user", each.question), Message("assistant", each.answer))
        ]
        start = next((at for at, each in enumerate(request.messages) if each.role not in _SYSTEM), 0)
        messages = (*request.messages[:start], *pairs, *request.messages[start:])
        return dataclasses.replace(request, messages=messages)
