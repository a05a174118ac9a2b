"""The model ``assistant``: rules for what they know exactly, else a model behind a system prompt, and a check of what
it says."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from mainspring.core.errors import GuardRefused, InvalidRequest, SettingsError
from mainspring.core.path import replay
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Events,
    Finish,
    Head,
    Message,
    Notice,
    Request,
    Responder,
    Response,
    Sampling,
    Text,
    Usage,
)
from mainspring.features.assistant import clock, refusals
from mainspring.features.assistant.instant import instant
from mainspring.features.assistant.languages import Language, language_of
from mainspring.features.assistant.settings import AssistantSettings
from mainspring.serving.memory.recollection import PersonMemory
from mainspring.serving.ring.ports import Tracing

NAME = "assistant"
HEADER = "x-mainspring-assistant"
_OPTIONS = ("session", "approval")
_DRAWN = ("temperature", "top_p", "repetition_penalty")
_SYSTEM = ("system", "developer")


class Assistant:
    """Answers everyday questions. ``models`` finds the model that it asks; ``checked`` puts the check of answers around
    it, with the words of a rejection; ``takes`` are the parameters of sampling that the model knows."""

    recalls = True
    """What is known of the person may stand in its conversation (``serving.memory.remember``)."""

    def __init__(
        self,
        settings: AssistantSettings,
        model: Callable[[Context], Responder],
        tracing: Tracing,
        checked: Callable[[Responder, str], Responder],
        takes: Callable[[], frozenset[str]],
        memory: PersonMemory | None = None,
        now: Callable[[ZoneInfo], datetime] = datetime.now,
    ) -> None:
        self._settings = settings
        self._model = model
        self._tracing = tracing
        self._checked = checked
        self._takes = takes
        self._memory = memory
        self._now = now
        try:
            self._zone = ZoneInfo(settings.time_zone)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"assistant.time_zone: there is no time zone {settings.time_zone!r}", remedy="Write Europe/Berlin, say"
            ) from error

    def fingerprint(self, request: Request, context: Context) -> None:  # noqa: ARG002
        """None: the date, the memory and the clock change."""
        return

    def declined(self, error: GuardRefused, request: ChatRequest) -> str:
        """See ``serving.guard.decline``."""
        said = next((each.content for each in reversed(request.messages) if each.role == "user"), "")
        if not error.kinds:
            # A limit of the policy, which gives its own reason.
            return error.message
        return refusals.rejection(refusals.reason(error.kinds), language_of(said))

    def is_declined(self, text: str) -> bool:
        """See ``serving.guard.decline``."""
        return refusals.is_rejection(text)

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidRequest``, ``GuardRefused`` and what the model raises."""
        asked = _chat(request)
        language = language_of(asked.messages[-1].content)
        if _plain(asked):
            with self._tracing.span("instant", context) as span:
                found = await instant(asked, context, language, self._now(self._zone), self._memory)
                span.set("mainspring.instant", "" if found is None else found.kind)
            if found is not None:
                head = Head(NAME, headers={HEADER: f"by={found.kind}"})
                return Response(head, replay([Text(found.text), Usage(), Finish("stop")]))
        return await self._generated(asked, context, language)

    async def _generated(self, asked: ChatRequest, context: Context, language: Language) -> Response:
        model = self._checked(self._model(context), refusals.rejection("tone", language))
        request = dataclasses.replace(
            asked,
            messages=self._conversation(asked),
            sampling=self._sampling(asked.sampling),
            session_id=None,
            options={},
            prompt=None,
            store=False,
        )
        response = await model.respond(request, context.nested())
        head = dataclasses.replace(response.head, headers={**response.head.headers, HEADER: "by=model"})
        return response.through(_plain_finish, head=head)

    def _conversation(self, asked: ChatRequest) -> tuple[Message, ...]:
        """The system prompt, with the date and the caller's own instructions, then the conversation."""
        own = self._settings.instruction if asked.prompt is None else asked.prompt.text
        day = f"Today is {clock.today(self._now(self._zone))}."
        given = [each.content for each in asked.messages if each.role in _SYSTEM and each.content]
        if asked.prompt is not None:
            given = [each for each in given if each not in own]
        system = Message("system", "\n\n".join([own, day, *given]))
        return (system, *(each for each in asked.messages if each.role not in _SYSTEM))

    def _sampling(self, wanted: Sampling) -> Sampling:
        """As the request says, else as the settings say: greedy answers are asked for by a temperature of 0."""
        settings, known = self._settings, self._takes()
        changes = {name: getattr(settings, name) for name in _DRAWN if name in known and getattr(wanted, name) is None}
        return dataclasses.replace(wanted, **changes)


async def _plain_finish(events: Events) -> AsyncGenerator[Event, None]:
    """The events, and a note for an answer that was stopped."""
    async for event in events:
        if isinstance(event, Finish) and event.reason == "content_filter":
            yield Notice("declined", "Not shown: the check of answers stopped it", event.choice)
        yield event


def _chat(request: Request) -> ChatRequest:
    if not isinstance(request, ChatRequest):
        raise InvalidRequest(f"{NAME} only chats", param="model")
    for name in request.options:
        if name not in _OPTIONS:
            raise InvalidRequest(
                f"{NAME} has no option {name!r}", remedy=f"It takes {', '.join(_OPTIONS)}", param=f"options.{name}"
            )
    if not request.messages:
        raise InvalidRequest("there is nothing to answer", param="messages")
    return request


def _plain(request: ChatRequest) -> bool:
    """Whether a rule may answer: one answer in words, to a message of the user's."""
    sampling = request.sampling
    free = not request.tools and not request.continues and sampling.grammar is None and sampling.logprobs is None
    return free and sampling.n == 1 and request.messages[-1].role == "user" and not request.messages[-1].images
