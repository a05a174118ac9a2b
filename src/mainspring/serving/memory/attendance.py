"""Sessions in which a person answers in the place of the model or agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mainspring.core.path import Layer, replay
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Notice,
    Request,
    Responder,
    Response,
    Text,
    Usage,
)

NOTICE = "person_answers"


@dataclass(frozen=True, slots=True)
class Attended:
    """A person has the conversation. ``notice`` is what the customer reads now, ``number`` that of the case."""

    notice: str
    number: str


class Attendant(Protocol):
    """Knows in which sessions people answer, and takes the messages to them."""

    async def take(self, request: ChatRequest, context: Context) -> Attended | None:
        """Take the new messages of a request if a person answers in its session, durably. None: nobody does."""
        ...


@dataclass(slots=True)
class Attendance:
    """Who attends sessions in this system; None: nobody. The feature with the cases registers itself here."""

    attendant: Attendant | None = None


class Attend(Layer):
    """Answers with a notice, and asks no model, while a person is on the conversation.

    The layer is below ``Record``, so the message and the notice are a turn of the session like any other, and a person
    never gets what the guards refuse.
    """

    def __init__(self, inner: Responder, attendance: Attendance) -> None:
        super().__init__(inner)
        self._attendance = attendance

    async def respond(self, request: Request, context: Context) -> Response:
        attendant = self._attendance.attendant
        if attendant is None or not isinstance(request, ChatRequest) or not request.session_id or context.replay:
            return await self.inner.respond(request, context)
        attended = await attendant.take(request, context)
        if attended is None:
            return await self.inner.respond(request, context)
        said: list[Event] = [
            Notice(NOTICE, attended.notice, id=attended.number),
            Text(attended.notice),
            Usage(0, 0),
            Finish("stop"),
        ]
        return Response(Head(request.model), replay(said))
