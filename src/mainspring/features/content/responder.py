"""The model ``content``: an article for a brief, as a run that survives its process.

The brief is the last message, and its fields are ``options``. With ``options.article`` it is that of an article that
was ordered over ``/v1/content/articles``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mainspring.agents.errors import Waiting
from mainspring.agents.history import History
from mainspring.agents.loop.responder import RUN_HEADER, Playing, waits
from mainspring.agents.runs import RUN, Histories
from mainspring.core.errors import InvalidRequest
from mainspring.core.types import ChatRequest, Context, Event, Finish, Head, Notice, Request, Response, Text
from mainspring.features.content.text.article import Brief
from mainspring.features.content.write.pipeline import Kitchen, Pipeline
from mainspring.serving.ring.whole_answers import refuse_drawing, with_unread

NAME = "content"
ARTICLE = "article"
VERSION = "1"
_BRIEFS = TypeAdapter(Brief)
_FIELDS = frozenset(Brief.__dataclass_fields__) - {"topic"}


class ContentWriter:
    """Writes articles; an ``AgentPlayer``."""

    version = VERSION

    def __init__(self, kitchen: Kitchen, histories: Histories) -> None:
        self._kitchen = kitchen
        self._histories = histories

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        """None: sources change, and each brief is an article of its own."""
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer with the article. Raises ``InvalidRequest``, ``Unsupported``, ``NotFound``."""
        asked = _checked(request)
        brief(asked)
        opened = await self._histories.open_run(NAME, asked, context, version=self.version)

        async def work(emit: Any) -> None:
            end, history = self._histories.end_run, opened.history
            try:
                async for event in self.play(opened.request or asked, context, history, {}):
                    emit(event)
            except Waiting as error:
                await end(history, "waiting", {}, error)
                emit(Notice("approval_pending", str(error), id=error.approval_id))
                emit(Text(waits("The plan waits for approval", error.approval_id, history.run_id)))
                emit(Finish("stop"))
            except BaseException as error:
                await asyncio.shield(end(history, "failed", {}, error))
                raise
            else:
                await end(history, "completed", {})

        playing = Playing(work, opened.watch)
        await playing.begun()
        head = Head(NAME, headers={RUN_HEADER: opened.history.run_id})
        return with_unread(asked, Response(head, playing.events(), on_close=playing.close))

    async def play(
        self,
        request: ChatRequest,
        context: Context,
        history: History,
        state: dict[str, Any],  # noqa: ARG002
    ) -> AsyncGenerator[Event, None]:
        """See ``AgentPlayer``."""
        pipeline = Pipeline(self._kitchen, history, context, brief(request), request.user or "")
        events: AsyncIterator[Event] = pipeline.events(str(request.options.get(ARTICLE, "")))
        async for event in events:
            yield event


def brief(request: ChatRequest) -> Brief:
    """The brief of a request. Raises ``InvalidRequest`` naming the option."""
    said = next((each.content for each in reversed(request.messages) if each.role == "user"), "").strip()
    if not said:
        raise InvalidRequest("there is no topic", remedy="Say in a message what to write about", param="messages")
    if len(said) > 2000:
        raise InvalidRequest("a topic has at most 2000 characters", param="messages")
    fields = {name: value for name, value in request.options.items() if name in _FIELDS}
    try:
        return _BRIEFS.validate_python({"topic": said, **fields})
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(each) for each in found["loc"])
        raise InvalidRequest(f"options.{place}: {found['msg']}", param=f"options.{place}") from None


def _checked(request: Request) -> ChatRequest:
    if not isinstance(request, ChatRequest):
        raise InvalidRequest(f"{NAME} writes articles for chat requests", param="model")
    for name in request.options:
        if name not in _FIELDS | {RUN, ARTICLE, "session"}:
            raise InvalidRequest(
                f"{NAME} has no option {name!r}",
                remedy=f"It takes {', '.join(sorted(_FIELDS))}",
                param=f"options.{name}",
            )
    refuse_drawing(request, NAME)
    return request
