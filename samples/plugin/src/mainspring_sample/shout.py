"""An application: a chat model's answer in capitals."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator

from mainspring.core.types import ChatRequest, Context, Event, Request, Responder, Response, Text


class Shout:
    """Asks ``model`` (its name and its call ring): each call is metered, guarded and traced as any other."""

    def __init__(self, model: tuple[str, Responder]) -> None:
        self._name, self._model = model

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        asked = dataclasses.replace(request, model=self._name, options={})
        response = await self._model.respond(asked, context.nested())

        return response.through(_louder, head=dataclasses.replace(response.head, model="shout"))

    def fingerprint(self, request: Request, context: Context) -> str | None:
        asked = dataclasses.replace(request, model=self._name)
        found = self._model.fingerprint(asked, context.nested())
        return None if found is None else f"shout:{found}"


async def _louder(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    async for event in events:
        yield dataclasses.replace(event, text=event.text.upper()) if isinstance(event, Text) else event
