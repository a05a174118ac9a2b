"""Conversations that the server remembers: history goes before the new messages of a request."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import mainspring.serving.estimate as estimate
from mainspring.errors import InvalidRequest
from mainspring.path import Layer
from mainspring.serving.ports import Histories
from mainspring.types import ChatRequest, Context, Message, Principal, Request, Responder, Response

MAX_MESSAGES = 64
MAX_TOKENS = 4096
MAX_ID_CHARACTERS = 256


class Session(Layer):
    """Prepends the history of ``session_id``, at most ``max_messages`` and about ``max_tokens`` of it.

    The new messages are left in the allowance's ``turn``, for Record to settle together with the answer.
    """

    def __init__(
        self,
        inner: Responder,
        histories: Histories,
        *,
        max_messages: int = MAX_MESSAGES,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        super().__init__(inner)
        self._histories = histories
        self._max_messages = max_messages
        self._max_tokens = max_tokens

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest) or request.session_id is None:
            return await self.inner.respond(request, context)
        if not 0 < len(request.session_id) <= MAX_ID_CHARACTERS:
            raise InvalidRequest(f"session_id must have 1 to {MAX_ID_CHARACTERS} characters", param="session_id")
        name = stored_name(context.principal, request.session_id)
        history = await self._histories.history(context.principal.tenant, name, self._max_messages)
        if request.store:
            context.allowance.turn = request.messages
        messages = (*_bounded(history, self._max_tokens), *request.messages)
        return await self.inner.respond(dataclasses.replace(request, messages=_one_system(messages)), context)


def stored_name(principal: Principal, session_id: str) -> str:
    """The name under which a session lies: what one set of groups talked about, no other set can continue."""
    groups = hashlib.sha256("\x00".join(sorted(principal.groups)).encode()).hexdigest()[:16]
    return f"{groups}:{session_id}"


def _bounded(history: Sequence[Message], max_tokens: int) -> list[Message]:
    """The latest messages within ``max_tokens``, beginning at a user's, so that no tool result is orphaned."""
    spent = 0
    begin = len(history)
    for index in range(len(history) - 1, -1, -1):
        spent += estimate.message_tokens((history[index],))
        if spent > max_tokens:
            break
        if history[index].role in ("user", "system", "developer"):
            begin = index
    return list(history[begin:])


def _one_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """System messages first, and only the latest run of them: each turn of a client may bring its own."""
    instructions: list[Message] = []
    others: list[Message] = []
    latest_ended = False
    for message in messages:
        if message.role not in ("system", "developer"):
            others.append(message)
            latest_ended = True
            continue
        if latest_ended:
            instructions.clear()
            latest_ended = False
        instructions.append(message)
    return (*instructions, *others)
