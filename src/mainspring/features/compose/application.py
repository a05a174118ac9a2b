"""The application ``compose``: the user's last message is a mail while it is typed, and the answer is how it goes on.

It answers within the request ring, so that guards, limits, events, variants and trials hold for it as for others.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from mainspring.core.errors import InvalidRequest
from mainspring.core.path import replay
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Principal,
    Request,
    Responder,
    Response,
    Text,
    Usage,
)
from mainspring.features.compose.service import NAME, Compose, Result
from mainspring.features.compose.suggesting import MailDraft
from mainspring.http.bodies import Closed
from mainspring.serving.ring.whole_answers import refuse_drawing, with_unread

REPORT = "x-mainspring-compose"
_HIDDEN = ("language", "topic", "person", "personal")
_CHARACTERS_PER_TOKEN = 4


class SuggestionOptions(Closed):
    """The options of a request to the application. ``after`` is the body behind the cursor; ``model`` names a version
    of the recipe compose."""

    after: Annotated[str, Field(max_length=50_000)] = ""
    subject: Annotated[str, Field(max_length=1_000)] = ""
    to: Annotated[str, Field(max_length=1_000)] = ""
    suggestions: Annotated[int, Field(ge=1, le=5)] = 1
    confidence: Annotated[float | None, Field(ge=0.01, le=1)] = None
    personal: bool = True
    model: Annotated[str, Field(max_length=256)] = ""
    explain: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> SuggestionOptions:
        """Raises ``InvalidRequest`` naming the option."""
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(map(str, first["loc"])) or "options"
            known = ", ".join(cls.model_fields)
            raise InvalidRequest(
                f"options.{at}: {first['msg']}", remedy=f"The options are {known}", param=f"options.{at}"
            ) from None


class ComposeApplication:
    """Completes mails by the server's model, or by a version that the tenant has trained."""

    def __init__(self, service: Compose) -> None:
        self._service = service

    def fingerprint(self, request: Request, context: Context) -> None:  # noqa: ARG002
        """Own phrases change answers, and the service remembers results itself: whole answers are not cached."""
        return

    async def knows_version(self, principal: Principal, label: str) -> bool:
        """See ``training.ports.VersionedApplication``."""
        return await self._service.trained.named(principal, label) is not None

    def by_version(self, label: str) -> Responder:
        """See ``training.ports.VersionedApplication``."""
        return ByVersion(self, label)

    async def respond(self, request: Request, context: Context, preferred: str = "") -> Response:
        """Each suggestion is a choice, the best first; without one there is a choice without text. ``preferred`` is the
        version that answers unless another model is named. Raises ``InvalidRequest``, and what ``Compose.suggest``
        raises."""
        if not isinstance(request, ChatRequest) or not request.messages or request.messages[-1].role != "user":
            raise InvalidRequest(f"{NAME} completes the last message, which is the user's", param="messages")
        refuse_drawing(request, NAME)
        wanted = SuggestionOptions.of(request.options)
        least = self._service.settings.least_confidence if wanted.confidence is None else wanted.confidence
        draft = MailDraft(
            request.messages[-1].content, wanted.after, wanted.subject, wanted.to, None, wanted.suggestions, least
        )
        # Models are compared by what they say, and not by the own phrases of who compares.
        personal = wanted.personal and not context.replay
        result = await self._service.suggest(
            context.principal, draft, user=request.user or "", personal=personal, named=wanted.model,
            preferred=preferred,
        )  # fmt: skip
        texts = [each.text for each in result.found.suggestions] or [""]
        events: list[Event] = [Text(text, at) for at, text in enumerate(texts)]
        events += [Usage(tokens(draft)), *(Finish("stop", at) for at in range(len(texts)))]
        head = Head(result.model, headers={REPORT: _report(result, explain=wanted.explain)})
        # The length is bounded in any case.
        asked = dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, max_tokens=None))
        return with_unread(asked, Response(head, replay(events)))


class ByVersion:
    """Completes by a version that was put in the place of the server's model."""

    def __init__(self, application: ComposeApplication, label: str) -> None:
        self._application = application
        self._label = label

    def fingerprint(self, request: Request, context: Context) -> None:
        """See ``ComposeApplication``."""
        return self._application.fingerprint(request, context)

    async def respond(self, request: Request, context: Context) -> Response:
        return await self._application.respond(request, context, self._label)


def tokens(asked: MailDraft) -> int:
    """What a draft counts to limits."""
    return (len(asked.before) + len(asked.subject) + len(asked.to)) // _CHARACTERS_PER_TOKEN + 1


def reported(told: str) -> dict[str, Any]:
    """What ``REPORT`` says; of an answer without it, that nothing is suggested."""
    found: dict[str, Any] = json.loads(told) if told else {}
    return {"confidence": [], "neutral": [], "silent": None, "personal": False, "cached": False, **found}


def _report(result: Result, *, explain: bool) -> str:
    found = result.found
    told: dict[str, Any] = {
        "confidence": [round(each.confidence, 4) for each in found.suggestions],
        "neutral": [each.neutral for each in found.suggestions],
        "waits": found.waits,
        "silent": found.silent,
        "personal": result.personal,
        "cached": result.cached,
    }
    if explain:
        told["filtered"] = [
            {
                # Nobody needs to read what must not be suggested.
                "text": None if each.reason in _HIDDEN else each.text,
                "reason": each.reason,
                "confidence": round(each.confidence, 4),
            }
            for each in found.dropped
        ]
    return json.dumps(told)
