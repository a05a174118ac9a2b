"""Refusals as answers: an application that words them itself answers a refused request in its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol, runtime_checkable

from mainspring.core.errors import GuardRefused
from mainspring.core.path import Layer, replay
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Message,
    Notice,
    Principal,
    Request,
    Responder,
    Response,
    Text,
    Usage,
)

NOTICE = "declined"


@runtime_checkable
class Declining(Protocol):
    """A responder that words the guards' refusals itself."""

    def declined(self, error: GuardRefused, request: ChatRequest) -> str:
        """The answer to a refused ``request``."""
        ...

    def is_declined(self, text: str) -> bool:
        """Whether ``text`` is such an answer."""
        ...


@cache
def _declines(kind: type) -> bool:
    """Whether responders of this class word refusals: a look at a protocol's methods costs more than most layers."""
    return issubclass(kind, Declining)


class Names(Protocol):
    """The registry of served names."""

    def fixed(self, name: str, principal: Principal, *, inner: bool = False) -> _Named | None: ...


class _Named(Protocol):
    @property
    def responder(self) -> Responder: ...


class Decline(Layer):
    """Answers what the guards refuse in the words of the application that was asked, if it has any.

    Such an answer ends in ``content_filter`` and has the notice ``declined``. It is recorded by ``record``, without the
    refused text, and becomes no turn of the session. Clients send it back as part of the conversation: the refused
    question and the answer are taken out of later requests, which would be refused for them again.
    """

    def __init__(self, inner: Responder, names: Names, record: Callable[[Responder], Responder]) -> None:
        super().__init__(inner)
        self._names = names
        self._record = record

    async def respond(self, request: Request, context: Context) -> Response:
        served = self._names.fixed(request.model, context.principal)
        if served is None or not isinstance(request, ChatRequest) or not _declines(type(served.responder)):
            return await self.inner.respond(request, context)
        assert isinstance(served.responder, Declining)
        words = served.responder
        try:
            return await self.inner.respond(_without_refused(request, words, context), context)
        except GuardRefused as error:
            answer = _Refusal(request.model, words.declined(error, request), error)
            context.settlement.turn = ()
            # Nothing of the refused text is kept.
            told = dataclasses.replace(request, messages=(), store=False)
            return await self._record(answer).respond(told, context)


class _Refusal:
    def __init__(self, name: str, text: str, error: GuardRefused) -> None:
        self._name, self._text, self._error = name, text, error

    def fingerprint(self, request: Request, context: Context) -> None:  # noqa: ARG002
        return

    async def respond(self, request: Request, context: Context) -> Response:  # noqa: ARG002
        kinds = ", ".join(self._error.kinds) or "limits"
        events: list[Event] = [
            Notice(NOTICE, f"Not answered: {kinds}"),
            Text(self._text),
            Usage(),
            Finish("content_filter"),
        ]
        return Response(Head(self._name), replay(events))


def _without_refused(request: ChatRequest, words: Declining, context: Context) -> ChatRequest:
    kept = _answered(request.messages, words)
    if len(kept) == len(request.messages):
        return request
    left = {id(each) for each in kept}
    context.settlement.turn = tuple(each for each in context.settlement.turn if id(each) in left)
    return dataclasses.replace(request, messages=tuple(kept))


def _answered(messages: Sequence[Message], words: Declining) -> list[Message]:
    kept: list[Message] = []
    for each in messages:
        if each.role == "assistant" and words.is_declined(each.content):
            while kept and kept[-1].role == "user":
                kept.pop()
        else:
            kept.append(each)
    return kept
