"""The model ``code``: completions of raw text become completions of code."""

from __future__ import annotations

from mainspring.core.errors import InvalidRequest
from mainspring.core.path import replay
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Finish,
    Head,
    Request,
    Responder,
    Response,
    Text,
)
from mainspring.features.code.complete.completer import Completer, Completion

NAME = "code"
REPORT = "x-mainspring-code"


class CodeAssistant:
    """Completes, and chats by ``chat`` (None: it does not)."""

    def __init__(self, completer: Completer, chat: Responder | None = None) -> None:
        self._completer = completer
        self._chat = chat

    def fingerprint(self, request: Request, context: Context) -> None:  # noqa: ARG002
        """Answers depend on files that change: they are never cached here."""
        return

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer with the whole completion. Raises what ``Completer.complete`` raises."""
        if isinstance(request, CompletionRequest):
            found = await self._completer.complete(request, context)
            head = Head(found.model or NAME, headers=headers(found))
            return Response(head, replay([Text(found.text), found.usage, Finish("stop")]))
        if isinstance(request, ChatRequest) and self._chat is not None:
            return await self._chat.respond(request, context)
        raise InvalidRequest(f"{NAME} completes and does not answer this", param="model")


def headers(found: Completion) -> dict[str, str]:
    """How a completion came about, in headers: no code is in them."""
    parses = {True: "yes", False: "no", None: "unknown"}[found.parses]
    report = {
        "reach": found.reach,
        "parses": parses,
        "changed": found.changed,
        "cached": "yes" if found.cached else "",
        "chosen": found.reason,
        "fills": "" if found.cached else "middle" if found.fills else "end",
        "snippets": str(len(found.snippets)),
    }
    told = "; ".join(f"{name}={value}" for name, value in report.items() if value)
    timing = ", ".join(f"{name};dur={value}" for name, value in found.milliseconds.items())
    return {REPORT: told} | ({"server-timing": timing} if timing else {})
