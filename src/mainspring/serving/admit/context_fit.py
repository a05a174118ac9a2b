"""Refuses requests that can never fit a model's context window before guards, memories and tokenizers read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mainspring.core.errors import PromptTooLong
from mainspring.core.path import Layer
from mainspring.core.types import ChatRequest, CompletionRequest, Context, Request, Responder, Response

CHARACTERS_A_TOKEN = 32
"""Natural text has at most this many on average over a whole context; engines refuse by the same number."""
Window = Callable[[str], int]
"""The largest context window, in tokens, that a name may lead to; 0: none is known."""


class Fits(Layer):
    """Refuses chats and prompts of more characters than any model behind their name could take.

    It counts only lengths, so every text that an engine accepts passes, and so do some that an engine will refuse.
    """

    def __init__(self, inner: Responder, window: Window) -> None:
        super().__init__(inner)
        self._window = window

    async def respond(self, request: Request, context: Context) -> Response:
        check(request, self._window)
        return await self.inner.respond(request, context)


def check(request: Request, window: Window) -> None:
    """Raise ``PromptTooLong`` for what no model of the request's name could take."""
    most = window(request.model) * CHARACTERS_A_TOKEN
    length = sum(map(len, _texts(request)))
    if 0 < most < length:
        problem = (
            f"This model's maximum context length is {window(request.model)} tokens. However, you requested at "
            f"least {-(-length // CHARACTERS_A_TOKEN)} tokens in {length} characters; {request.model} takes no "
            f"more than {most}"
        )
        param = "prompt" if isinstance(request, CompletionRequest) else "messages"
        raise PromptTooLong(problem, remedy="Send less", param=param)


def _texts(request: Request) -> Iterable[str]:
    if isinstance(request, CompletionRequest):
        yield request.said
    elif isinstance(request, ChatRequest):
        for message in request.messages:
            yield message.content
            yield from (call.arguments for call in message.tool_calls)
        if request.prompt is not None:
            yield from request.prompt.variables.values()
        for tool in request.tools:
            yield tool.description
            yield from _strings(tool.parameters)


def _strings(value: object) -> Iterable[str]:
    """The strings in a JSON value, including its keys."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            pending += [*each, *each.values()]
        elif isinstance(each, list | tuple):
            pending += each
