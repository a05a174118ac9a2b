"""The agent that A2A's compatibility kit asks: what it does stands in the id of each message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.plugins import Registry, hookimpl
from mainspring.core.types import Context, Event, Finish, Head, Notice, Request, Response, Text, Usage
from mainspring.feature import APPLICATION
from mainspring.features.a2a import present

SECONDS = 4.0
"""How long the kit's longest task takes."""
FILE = {"filename": "output.txt", "mediaType": "text/plain"}
ARTIFACTS: dict[str, dict[str, Any]] = {
    "tck-artifact-file-url": {"parts": [{"url": "https://example.com/output.txt", **FILE}]},
    "tck-artifact-file": {"parts": [{"raw": "dGNr", **FILE}]},
    "tck-stream-artifact-file": {"parts": [{"raw": "dGNr", **FILE}]},
    "tck-artifact-data": {"parts": [{"data": {"key": "value", "count": 42}}]},
}
TEXTS = {
    "tck-stream-artifact-chunked": ("chunk-1 ", "chunk-2"),
    "tck-stream-artifact-text": ("Streamed text content",),
    "tck-stream-ordering-001": ("Ordered output",),
    "tck-message-response": ("Direct message response",),
    "tck-artifact-text": ("Generated text content",),
    "tck-stream-001": ("Stream hello from TCK",),
    "tck-stream-003": ("Stream task lifecycle",),
    "tck-complete-task": ("Hello from TCK",),
}


class TckAgent:
    """Implements ``Responder`` by the scenarios of the kit (``scenarios/*.feature`` there)."""

    description = "Does what the id of a message says."

    async def respond(self, request: Request, context: Context) -> Response:
        turn = present.turn()
        name = str(turn.message["messageId"]) if turn is not None else ""
        if name.startswith("tck-reject-task"):
            raise InvalidRequest("rejected")
        if turn is not None:
            turn.as_message = name.startswith("tck-message-response")
            turn.artifacts += [each for prefix, each in ARTIFACTS.items() if name.startswith(prefix)][:1]
        return Response(Head("tck"), _events(name))

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


async def _events(name: str) -> AsyncIterator[Event]:
    if name.startswith("test-resubscribe-message-id"):
        await asyncio.sleep(SECONDS)
    if name.startswith("tck-input-required"):
        yield Notice("input_required", "What else?")
    elif not any(name.startswith(prefix) for prefix in ARTIFACTS):
        for text in next((texts for prefix, texts in TEXTS.items() if name.startswith(prefix)), ("Done.",)):
            yield Text(text)
    yield Usage(1, 1)
    yield Finish("stop")


@hookimpl
def mainspring_register(registry: Registry) -> None:
    made: Callable[[Any], TckAgent] = lambda _: TckAgent()  # noqa: E731
    registry.add(APPLICATION, "tck", made)
