"""The model ``assistant``: rules for what they know exactly, else a model behind a system prompt, and a check of what
it says."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
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
from mainspring.features.assistant.enhance.enhancer import Change, Enhanced
from mainspring.features.assistant.instant import instant
from mainspring.features.assistant.languages import Language, language_of
from mainspring.features.assistant.settings import AssistantSettings
from mainspring.serving.memory.recollection import PersonMemory
from mainspring.serving.ring.ports import Tracing

NAME = "assistant"
HEADER = "x-mainspring-assistant"
ENHANCED = "enhanced"
"""The code of the notice that tells what was changed in a message."""
_ENHANCE = "enhance"
_OPTIONS = ("session", "approval", _ENHANCE)
_DRAWN = ("temperature", "top_p", "repetition_penalty")
_SYSTEM = ("system", "developer")


async def unchanged(text: str) -> Enhanced:
    """No enhancer."""
    return Enhanced(text)


class Assistant:
    """Answers everyday questions. ``models`` finds the model that it asks; ``checked`` puts the check of answers around
    it, with the words of a rejection; ``takes`` are the parameters of sampling that the model knows;
    ``enhance`` reads a message as it was meant."""

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
        enhance: Callable[[str], Awaitable[Enhanced]] = unchanged,
        now: Callable[[ZoneInfo], datetime] = datetime.now,
    ) -> None:
        self._settings = settings
        self._model = model
        self._tracing = tracing
        self._checked = checked
        self._takes = takes
        self._memory = memory
        self._enhance = enhance
        self._now = now
        try:
            self._zone = ZoneInfo(settings.time_zone)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"assistant.time_zone: there is no time zone {settings.time_zone!r}",
                remedy="Use a name such as Europe/Berlin",
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
        if _plain(asked) and (answer := await self._instant(asked, context, language, own=True)) is not None:
            return answer
        wanted = _wanted(asked, self._settings)
        read, changes = (asked, ()) if wanted == "off" else await self._read(asked, context)
        if not changes:
            return await self._generated(asked, context, language)
        answer = await self._instant(read, context, language, own=False) if _plain(read) else None
        if answer is None and wanted == "rules":
            return await self._generated(asked, context, language)
        return _telling(answer or await self._generated(read, context, language), changes)

    async def _instant(self, asked: ChatRequest, context: Context, language: Language, *, own: bool) -> Response | None:
        """The answer of a rule. What is kept of a person are the person's ``own`` words."""
        with self._tracing.span("instant", context) as span:
            found = await instant(asked, context, language, self._now(self._zone), self._memory, own=own)
            span.set("mainspring.instant", "" if found is None else found.kind)
        if found is None:
            return None
        head = Head(NAME, headers={HEADER: f"by={found.kind}"})
        return Response(head, replay([Text(found.text), Usage(), Finish("stop")]))

    async def _read(self, asked: ChatRequest, context: Context) -> tuple[ChatRequest, Sequence[Change]]:
        """The request with its latest message as it was meant, for the model alone, and what was changed."""
        *before, last = asked.messages
        if last.role != "user" or asked.continues:
            return asked, ()
        with self._tracing.span("enhance", context) as span:
            found = await self._enhance(last.content)
            span.set("mainspring.enhanced", len(found.changes))
        if not found.changes:
            return asked, ()
        messages = (*before, dataclasses.replace(last, content=found.text))
        return dataclasses.replace(asked, messages=messages), found.changes

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


def _wanted(request: ChatRequest, settings: AssistantSettings) -> str:
    """Who reads the message as it was meant: ``on``, ``rules`` or ``off``. Raises ``InvalidRequest``."""
    wanted = request.options.get(_ENHANCE, settings.enhance)
    wanted = ("on" if wanted else "off") if isinstance(wanted, bool) else wanted
    if wanted not in ("on", "rules", "off"):
        raise InvalidRequest(f"{_ENHANCE} must be on, rules or off", param=f"options.{_ENHANCE}")
    return str(wanted)


def _telling(response: Response, changes: Sequence[Change]) -> Response:
    """The answer behind a note of what was read otherwise than it was written."""
    told = ", ".join(f'"{each.written}" as "{each.read}"' for each in changes)

    async def noted(events: Events) -> AsyncGenerator[Event, None]:
        yield Notice(ENHANCED, f"Read {told}")
        async for event in events:
            yield event

    return response.through(noted)


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
