"""An agent of others as a ``Responder``: served under a name, it is asked like a model, and conversations are handed
over to it like to any other agent (``LlmAgent(name="billing", model="billing")``)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncGenerator

from cachetools import TTLCache

from mainspring.agents.tools.a2a.agent import COMPLETED, WAITING, AgentReply, AnswerPiece, RemoteAgent
from mainspring.core.errors import InvalidRequest, Unsupported, UpstreamError
from mainspring.core.types import (
    IGNORED_HEADER,
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Message,
    Notice,
    Progress,
    Request,
    Response,
    Text,
    Usage,
)

_KEPT, _KEPT_S = 10_000, 86_400.0


class RemoteAgentResponder:
    """Sends the last message; one session here is one context there. What was said before, with others, goes along
    where there is no session."""

    def __init__(self, agent: RemoteAgent) -> None:
        self._agent = agent
        self._waiting: TTLCache[str, str] = TTLCache(_KEPT, _KEPT_S)

    @property
    def description(self) -> str:
        return self._agent.settings.description

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        """None: it may say something else each time."""
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidRequest``, ``UpstreamError``."""
        if not isinstance(request, ChatRequest):
            raise InvalidRequest(f"{self._agent.name} is an agent: it only chats", param="model")
        if any(each.images for each in request.messages):
            raise Unsupported(f"{self._agent.name} is sent text alone", remedy="Leave pictures out", param="messages")
        place = ""
        if request.session_id:
            parts = context.principal.tenant, context.principal.person, request.session_id
            place = "ctx-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
        pieces = self._agent.ask(
            said(request.messages, alone=bool(place)),
            uuid.uuid4().hex,
            context_id=place,
            task_id=self._waiting.pop(place, "") if place else "",
        )
        # The first piece is the commit point, as with any model.
        first = await anext(pieces)
        ignored = {IGNORED_HEADER: "tools"} if request.tools else {}
        return Response(
            Head(self._agent.name, headers=ignored), self._events(first, pieces, place), on_close=pieces.aclose
        )

    async def _events(
        self, first: AnswerPiece | AgentReply, pieces: AsyncGenerator[AnswerPiece | AgentReply, None], place: str
    ) -> AsyncGenerator[Event, None]:
        told, piece = False, first
        while not isinstance(piece, AgentReply):
            if piece.progress:
                yield Progress(self._agent.name, piece.text)
            else:
                told = True
                yield Text(piece.text)
            piece = await anext(pieces)
        if piece.state in WAITING:
            if place and piece.task_id:
                self._waiting[place] = piece.task_id
            yield Notice("input_required", piece.status or piece.text, id=piece.task_id)
            if piece.status:
                yield Text(f"\n\n{piece.status}" if told else piece.status)
        elif piece.state != COMPLETED:
            state = piece.state.removeprefix("TASK_STATE_").lower()
            raise UpstreamError(f"the task of the agent {self._agent.name} was {state}: {piece.status or 'no reason'}")
        elif not told:
            yield Text(piece.status)
        yield Usage()
        yield Finish("stop")


def said(messages: tuple[Message, ...], *, alone: bool) -> str:
    """What the agent is sent: the last message, after those before it unless it knows them."""
    spoken = [each for each in messages if each.role not in ("system", "developer") and each.content]
    if not spoken:
        return ""
    *before, last = spoken
    if alone or not before:
        return last.content
    lines = "\n".join(f"{each.role}: {each.content}" for each in before)
    return f"The conversation so far:\n{lines}\n\nNow:\n{last.content}"
