"""Text by third parties in messages: checked like a document, and put between delimiters for the model."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence

from mainspring.core.path import Layer
from mainspring.core.settings.guards.untrusted import UntrustedSettings
from mainspring.core.types import ChatRequest, Context, Message, Request, Responder, Response
from mainspring.guards.detect import quoted_text
from mainspring.guards.policy.policies import GuardDecision, GuardPolicy
from mainspring.guards.rewrite.spotlight import Spotlight
from mainspring.serving.guard.layers import Detect, Policies
from mainspring.serving.ring.registry import Registry

_SYSTEM = ("system", "developer")


async def decided(
    policy: GuardPolicy, messages: Sequence[Message], detect: Detect | None, context: Context
) -> list[tuple[str, Sequence[GuardDecision]]]:
    """The decisions about pasted text of users, each with its role."""
    found: list[tuple[str, Sequence[GuardDecision]]] = []
    said = [each.content for each in messages if each.role == "user" and each.content]
    if policy.untrusted.pasted != "off":
        parts = [text[start:end] for text in said for start, end in quoted_text.spans(text)]
        scores: Sequence[Mapping[str, float]] = [{} for _ in parts]
        if detect is not None and policy.dropping and parts:
            scores = await detect(parts, context, pieces=True)
        found += [("pasted", policy.judge_pasted(part, each)) for part, each in zip(parts, scores, strict=True)]
    return found


class Spotlit(Layer):
    """Puts text by third parties between delimiters before a model reads it; an application gets messages unchanged.

    Below the caches and the record: delimiters are not part of the request. They stay the same for a whole
    conversation, by its first words, so that its prompts continue to start alike.
    """

    def __init__(self, inner: Responder, policy: Policies, registry: Registry) -> None:
        super().__init__(inner)
        self._policies = policy
        self._registry = registry
        self._secret = os.urandom(32)

    async def respond(self, request: Request, context: Context) -> Response:
        if isinstance(request, ChatRequest):
            policy = self._policies.under(context.settlement.application or request.model)
            wanted = policy.untrusted
            served = self._registry.fixed(request.model, context.principal)
            if (wanted.tools or wanted.user != "off") and served is not None and served.kind == "chat":
                request = spotlit(request, wanted, self._secret)
        return await self.inner.respond(request, context)


def spotlit(request: ChatRequest, wanted: UntrustedSettings, secret: bytes) -> ChatRequest:
    """The request with delimiters, and the sentences that explain them in its system prompt."""
    first = next((each.content for each in request.messages if each.role == "user"), "")
    light = Spotlight.over(secret, [first])
    said: list[str] = []
    changed = [_wrapped(each, wanted, light, said) for each in request.messages]
    if not said:
        return request
    told = " ".join(dict.fromkeys(said))
    place = next((index for index, each in enumerate(changed) if each.role in _SYSTEM), None)
    if place is None:
        changed.insert(0, Message("system", told))
    else:
        changed[place] = dataclasses.replace(changed[place], content=f"{changed[place].content}\n\n{told}")
    return dataclasses.replace(request, messages=tuple(changed))


def _wrapped(message: Message, wanted: UntrustedSettings, light: Spotlight, said: list[str]) -> Message:
    text = message.content
    if message.role == "tool" and wanted.tools and text:
        said.append(light.instruction)
        return dataclasses.replace(message, content=light.wrap(text, "tool"))
    if message.role != "user" or not text:
        return message
    if wanted.user == "all":
        said.append(light.spoken)
        return dataclasses.replace(message, content=light.wrap(text, "user"))
    parts, position = [], 0
    for start, end in quoted_text.spans(text) if wanted.user == "pasted" else ():
        parts += [text[position:start], light.wrap(text[start:end], "pasted")]
        position = end
    if not parts:
        return message
    said.append(light.instruction)
    return dataclasses.replace(message, content="".join(parts) + text[position:])
