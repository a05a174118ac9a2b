"""Routes of Smart Compose."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParam
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import GuardRefused, InvalidRequest, NoConsent, Unsupported
from mainspring.core.path import Answer
from mainspring.core.types import ChatRequest, Context, Message, Principal, Responder, Sampling
from mainspring.evaluation.examples import DataSets
from mainspring.features.compose.application import REPORT, reported, tokens
from mainspring.features.compose.service import NAME, Compose
from mainspring.features.compose.store.sent_mails import SentMail
from mainspring.features.compose.suggesting import MailDraft
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import collected, head_headers, json_response
from mainspring.serving.admit.rate_limits import Charge
from mainspring.stores.keys.quotas import Quotas
from mainspring.training.ports import Door, Version

PATH = "/v1/compose"
# Suggestions of earlier versions have ids of their own.
SuggestionId = Annotated[str, PathParam(pattern=r"^(ans|cmp)_[0-9a-z]{26}$")]
User = Annotated[str, Field(max_length=256, description="user of the application; default: the key's owner")]
AskedUser = Annotated[str, Query(max_length=256, description="User of the application; default: the key's owner")]
_TOKENS_A_WORD = 2
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
        str, Field(max_length=256, description="version that you have trained; default: what serves your tenant")
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

    def request(self, most_words: int, *, store: bool) -> ChatRequest:
        """As the application is asked. A mail whose text is stored is kept once for each pause in it."""
        draft = self.asked(0.0)
        options = {
            "after": draft.after, "subject": self.subject, "to": self.to, "suggestions": self.suggestions,
            "confidence": self.confidence, "personal": self.personal, "model": self.model, "explain": self.explain,
        }  # fmt: skip
        sampling = Sampling(max_tokens=_TOKENS_A_WORD * most_words * self.suggestions)
        said = (Message("user", draft.before),)
        return ChatRequest(NAME, said, sampling, user=self.user or None, store=store, options=options)


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


class ComposeSentBody(Body):
    """``POST /v1/compose/{suggestion_id}/sent``: the mail that the suggestion was for, as it was sent."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    subject: Annotated[str, Field(max_length=1_000)] = ""
    to: Annotated[str, Field(max_length=1_000, description="recipient, such as support")] = ""
    session_id: Annotated[str, Field(max_length=256, description="identifier of this mail, as when it was typed")] = ""
    consent: Annotated[bool, Field(description="models of your tenant may learn from this mail")] = False


class ComposeHeldOutBody(Body):
    """``POST /v1/compose/sent/held-out``."""

    dataset: Annotated[str, Field(min_length=1, max_length=128, description="data set to add the examples to")]


def router(service: Compose, responder: Responder, access: Access, charge: Charge) -> APIRouter:
    """Suggestions, over the request ring, and what comes of them."""
    routes = APIRouter(route_class=JsonRoute, tags=["compose"])
    composers = Annotated[Context, Depends(access("compose"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post(PATH)
    async def compose(http: HttpRequest, body: ComposeBody, context: composers) -> HttpResponse:
        """Suggest how the mail continues at the cursor."""
        service.check_enabled()
        asked = body.asked(service.settings.least_confidence)
        if (waits := service.waits(asked)) is not None:
            # No model is asked, and nothing is recorded.
            if body.model:
                await service.trained.folder(context.principal, body.model)
            async with charge(context, tokens(asked)):
                return json_response(
                    {**_nothing(explain=body.explain), "waits": waits}, charge.headers(context.principal)
                )
        # What may be learned from is kept, so that it can be shown and erased; nothing else is.
        request = body.request(service.settings.most_words, store=context.consent)
        try:
            answer = await collected(http, responder, request, context)
        except GuardRefused:
            # Nobody is told anything while they type.
            told = {**_nothing(explain=body.explain), "silent": "guard"}
            return json_response(told, charge.headers(context.principal))
        told = _result_body(answer, explain=body.explain)
        if told["suggestions"]:
            first = told["suggestions"][0]
            service.note(
                context.principal, answer.head.answer_id, user=body.user, session=body.session_id,
                characters=len(first["text"]), confidence=first["confidence"],
            )  # fmt: skip
        return json_response(told, _headers(answer))

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


def models_router(service: Compose, access: Access, door: Door | None) -> APIRouter:
    """Which models there are, and which one serves. ``door`` knows what serves a tenant; None: what the settings
    say."""
    routes = APIRouter(route_class=JsonRoute, tags=["compose"])
    composers = Annotated[Context, Depends(access("compose"))]

    @routes.get(PATH + "/models")
    async def compose_models(context: composers) -> HttpResponse:
        """The models that your tenant has trained, newest first, and which one serves it."""
        found = await service.trained.of(context.principal)
        serving, tried, stage = await _placed(service, door, context.principal)
        labels = {each.label for each in found}
        data = [_model_body(each, serving) for each in found]
        for label in (serving, tried):
            # What the loop made is not among those, and may serve.
            if label and label not in labels and service.trained.versions is not None:
                version = await service.trained.versions.version(context.principal.tenant, label)
                data.append(_model_body(version, serving))
        told = {"object": "list", "data": data, "serving": serving or None, "trying": tried or None, "stage": stage}
        return json_response(told)

    return routes


def sent_router(service: Compose, sets: DataSets | None, quotas: Quotas, access: Access) -> APIRouter:
    """Mails as they were sent: models learn from most of them, and are compared on the others."""
    routes = APIRouter(route_class=JsonRoute, tags=["compose"])
    composers = Annotated[Context, Depends(access("compose"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post(PATH + "/{suggestion_id}/sent", status_code=201)
    async def tell_compose_sent(suggestion_id: SuggestionId, body: ComposeSentBody, context: composers) -> HttpResponse:
        """Report the mail as it was sent, with consent to learn from it. It counts as feedback on the suggestion. A
        mail that is reported again replaces the former one."""
        principal = context.principal
        if not body.consent:
            raise NoConsent(
                "a mail is kept only with consent to learn from it", remedy='Send "consent": true', param="consent"
            )
        await quotas.check(principal.tenant, "feedback_per_answer", suggestion_id)
        mail = SentMail(suggestion_id, body.text, body.subject, body.to, body.session_id)
        made, feedback = await service.sent_mail(principal, mail)
        return json_response({"id": made, "object": "compose.sent", "feedback": feedback}, status=201)

    @routes.post(PATH + "/sent/held-out", status_code=201)
    async def hold_compose_sent_out(body: ComposeHeldOutBody, context: admins) -> HttpResponse:
        """Add places in the mails that are held out, a fifth of all, to a data set: models that learn from the other
        mails can be compared on them."""
        if sets is None:
            raise Unsupported("nothing here keeps data sets", remedy="Install a feature that does")
        found = [each for each in await service.learnable_edits(context.principal, NAME) if each.split == "test"]
        if not found:
            raise InvalidRequest(
                "no mail is held out yet: a fifth of the mails that people sent with consent will be",
                remedy="Come again when there are more mails",
                param="dataset",
            )
        number = await sets.add_examples(context.principal, body.dataset, found, note="sent mails that are held out")
        told = {"object": "compose.held_out", "dataset": body.dataset, "version": number, "examples": len(found)}
        return json_response(told, status=201)

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


async def _placed(service: Compose, door: Door | None, principal: Principal) -> tuple[str, str, str]:
    """The versions that serve the tenant and that are tried on it, with the stage, as far as the caller sees them;
    empty: the server's model."""
    if door is None:
        return "", "", ""
    place = await door.placement(principal.tenant, NAME)
    labels = []
    for each in (next((one for one in place.currents if one.kind == "model"), None), place.candidate):
        label = "" if each is None else str(each.value.get("model", ""))
        labels.append(label if label and await service.trained.named(principal, label) is not None else "")
    return labels[0], labels[1], place.stage if labels[1] else ""


def _model_body(version: Version, serving: str) -> dict[str, Any]:
    return {
        "id": version.label,
        "object": "compose.model",
        "created_at": version.created_at,
        "recipe": version.recipe,
        "figures": dict(version.made.figures),
        "stale": version.stale or None,
        "serving": version.label == serving,
    }


def _headers(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in head_headers(answer.head).items() if name != REPORT}


def _nothing(*, explain: bool) -> dict[str, Any]:
    """The body where no model was asked."""
    told: dict[str, Any] = {
        "id": None, "answer": None, "object": "compose.suggestions", "model": None, "suggestions": [], "waits": None,
        "silent": None, "personal": False, "cached": False,
    }  # fmt: skip
    return {**told, "filtered": []} if explain else told


def _result_body(answer: Answer, *, explain: bool) -> dict[str, Any]:
    found = reported(answer.head.headers.get(REPORT, ""))
    # In the words that the guards let pass.
    said = zip(answer.choices, found["confidence"], found["neutral"], strict=False)
    kept = [
        {"text": choice.text, "confidence": confidence, "neutral": neutral}
        for choice, confidence, neutral in said
        if choice.text
    ]
    # An output guard may have ended it.
    refused = any(choice.finish == "content_filter" for choice in answer.choices)
    told = {
        "id": answer.head.answer_id if kept else None,
        "answer": answer.head.answer_id,
        "object": "compose.suggestions",
        "model": answer.head.model,
        "suggestions": kept,
        "waits": None,
        "silent": "guard" if refused else found["silent"],
        "personal": found["personal"],
        "cached": found["cached"],
    }
    return {**told, "filtered": found.get("filtered", [])} if explain else told


def _personal_body(user: str, agreed: str, texts: int) -> dict[str, Any]:
    consent = {"granted": True, "refused": False}.get(agreed)
    return {"object": "compose.personal", "user": user or None, "consent": consent, "texts": texts}
