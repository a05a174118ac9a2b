"""Routes of Smart Compose."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParam
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.features.compose.service import Compose, Result
from mainspring.features.compose.suggesting import MailDraft
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response, while_connected
from mainspring.serving.admit.rate_limits import Charge

PATH = "/v1/compose"
SuggestionId = Annotated[str, PathParam(pattern=r"^cmp_[0-9a-z]{26}$")]
User = Annotated[str, Field(max_length=256, description="user of the application; default: the key's owner")]
AskedUser = Annotated[str, Query(max_length=256, description="User of the application; default: the key's owner")]
_HIDDEN = ("language", "topic", "person", "personal")
_CHARACTERS_PER_TOKEN = 4
_DAY_S = 86_400.0


class ComposeBody(Body):
    """``POST /v1/compose``: a mail while it is typed."""

    body: Annotated[str, Field(max_length=50_000, description="text of the mail")]
    subject: Annotated[str, Field(max_length=1_000)] = ""
    to: Annotated[str, Field(max_length=1_000, description="recipient, such as support")] = ""
    cursor: Annotated[
        int | None, Field(ge=0, description="number of characters before the cursor; default: the end of the text")
    ] = None
    pause_ms: Annotated[
        float | None,
        Field(ge=0, le=86_400_000, description="milliseconds since the last keystroke; default: long enough"),
    ] = None
    suggestions: Annotated[int, Field(ge=1, le=5, description="maximum number of suggestions")] = 1
    confidence: Annotated[
        float | None, Field(ge=0.01, le=1, description="minimum confidence; default: compose.least_confidence")
    ] = None
    session_id: Annotated[str, Field(max_length=256, description="identifier of this mail, for usage statistics")] = ""
    user: User = ""
    personal: Annotated[bool, Field(description="use the person's own phrases, if the person has agreed")] = True
    model: Annotated[
        str, Field(max_length=256, description="version of the recipe compose; default: the server's model")
    ] = ""
    explain: Annotated[bool, Field(description="include what was filtered and why")] = False

    def asked(self, least: float) -> MailDraft:
        """Raises ``InvalidRequest``: the cursor is behind the text."""
        at = len(self.body) if self.cursor is None else self.cursor
        if at > len(self.body):
            raise InvalidRequest(
                f"cursor is {at}, and the body has {len(self.body)} characters",
                remedy="Count Unicode code points of the body",
                param="cursor",
            )
        return MailDraft(
            self.body[:at],
            self.body[at:],
            self.subject,
            self.to,
            self.pause_ms,
            self.suggestions,
            least if self.confidence is None else self.confidence,
        )


class ComposeOutcomeBody(Body):
    """``POST /v1/compose/{suggestion_id}/outcome``."""

    outcome: Annotated[
        Literal["accepted", "dismissed", "typed"],
        Field(description="typed: the writer typed on, with other words or with the same words"),
    ]
    characters: Annotated[
        int | None, Field(ge=0, le=10_000, description="number of accepted characters; default: all")
    ] = None


class ComposeConsentBody(Body):
    """``PUT /v1/compose/personal``."""

    consent: bool
    user: User = ""


class ComposeTextBody(Body):
    """``POST /v1/compose/personal``: a mail that was sent."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    user: User = ""


def router(service: Compose, access: Access, charge: Charge) -> APIRouter:
    """Suggestions and what comes of them; each request counts to the key's limits."""
    routes = APIRouter(route_class=JsonRoute, tags=["compose"])
    composers = Annotated[Context, Depends(access("compose"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post(PATH)
    async def compose(http: HttpRequest, body: ComposeBody, context: composers) -> HttpResponse:
        """Suggest how the mail continues at the cursor."""
        asked = body.asked(service.settings.least_confidence)
        work = service.suggest(
            context, asked, user=body.user, session=body.session_id, personal=body.personal, named=body.model
        )
        async with charge(context, _tokens(asked)):
            result = await while_connected(http, work)
        return json_response(_result_body(result, explain=body.explain), charge.headers(context.principal))

    @routes.post(PATH + "/{suggestion_id}/outcome")
    async def tell_compose_outcome(
        suggestion_id: SuggestionId, body: ComposeOutcomeBody, context: composers
    ) -> HttpResponse:
        """Report the outcome of the suggestions of an answer. A repeated report counts once."""
        told = await service.tell(context.principal, suggestion_id, body.outcome, body.characters)
        return json_response({"object": "compose.outcome", **told})

    @routes.get(PATH + "/figures")
    async def compose_figures(
        context: admins,
        days: Annotated[float, Query(gt=0, le=366, description="Number of days before now that count")] = 30.0,
    ) -> HttpResponse:
        """Acceptance rate of suggestions, share of mails with one, and saved characters."""
        found = await service.shown.figures(context.principal.tenant, time.time() - days * _DAY_S)
        return json_response({"object": "compose.figures", "days": days, **found})

    return routes


def personal_router(service: Compose, access: Access) -> APIRouter:
    """A person's own phrases: consent, texts, and forgetting."""
    routes = APIRouter(route_class=JsonRoute, tags=["compose"], prefix=PATH + "/personal")
    composers = Annotated[Context, Depends(access("compose"))]

    @routes.get("")
    async def get_compose_personal(context: composers, user: AskedUser = "") -> HttpResponse:
        """Whether the person has agreed to the learning of own phrases, and how many texts are kept."""
        agreed, texts = await service.personal(context.principal, user)
        return json_response(_personal_body(user, agreed, texts))

    @routes.put("")
    async def put_compose_personal(body: ComposeConsentBody, context: composers) -> HttpResponse:
        """Give or refuse consent. A refusal deletes the texts."""
        await service.decide(context.principal, body.user, consent=body.consent)
        agreed, texts = await service.personal(context.principal, body.user)
        return json_response(_personal_body(body.user, agreed, texts))

    @routes.post("")
    async def add_compose_text(body: ComposeTextBody, context: composers) -> HttpResponse:
        """Learn from a mail that the person sent. Personal data in it is left out."""
        kept = await service.learn(context.principal, body.user, body.text)
        return json_response(_personal_body(body.user, "granted", kept))

    @routes.delete("")
    async def forget_compose_texts(context: composers, user: AskedUser = "") -> HttpResponse:
        """Delete the person's texts; the consent stays."""
        return json_response({"object": "list.deleted", "deleted": await service.forget(context.principal, user)})

    return routes


def _tokens(asked: MailDraft) -> int:
    return (len(asked.before) + len(asked.subject) + len(asked.to)) // _CHARACTERS_PER_TOKEN + 1


def _result_body(result: Result, *, explain: bool) -> dict[str, Any]:
    found = result.found
    told: dict[str, Any] = {
        "id": result.id or None,
        "object": "compose.suggestions",
        "model": result.model,
        "suggestions": [
            {"text": each.text, "confidence": round(each.confidence, 4), "neutral": each.neutral}
            for each in found.suggestions
        ],
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
    return told


def _personal_body(user: str, agreed: str, texts: int) -> dict[str, Any]:
    consent = {"granted": True, "refused": False}.get(agreed)
    return {"object": "compose.personal", "user": user or None, "consent": consent, "texts": texts}
