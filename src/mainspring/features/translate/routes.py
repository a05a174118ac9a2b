"""Routes of translation."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.path import Answer
from mainspring.core.types import ChatRequest, Context, EventRecord, Message, Responder
from mainspring.evaluation.examples import DataSets
from mainspring.features.translate.assistant import NAME, REPORT, Language, TranslationAssistant, reported
from mainspring.features.translate.assistant import languages as languages_of
from mainspring.features.translate.documents.pieces import Format
from mainspring.features.translate.languages import Guess, name
from mainspring.features.translate.learnable import learnable
from mainspring.features.translate.memory import Edit, Edits
from mainspring.http.access import Access
from mainspring.http.bodies import AtMost, Body
from mainspring.http.openai import encode
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import collected, head_headers, json_response
from mainspring.serving.admit.rate_limits import Charge
from mainspring.stores.events.log import EventLog
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.sql import ids

PREFIX = "/v1/translate"
_Said = Annotated[str, Field(max_length=1_000_000)]


class TranslateBody(Body):
    """``POST /v1/translate``: one of ``text``, ``texts`` and ``document``."""

    text: _Said | None = None
    texts: Annotated[list[_Said], Field(min_length=1, max_length=1_000, fail_fast=True)] | None = None
    document: _Said | None = None
    format: Annotated[Format, Field(description="format of the document")] = "text"
    target: Language
    source: Annotated[Language | None, Field(description="source language; default: detected")] = None
    glossary: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[str, Field(max_length=200)]],
        Field(default_factory=dict, max_length=1_000),
        AtMost(1_000),
    ]
    names: Annotated[bool, Field(description="leave names untranslated")] = True
    model: Annotated[
        str, Field(max_length=256, description="translator or chat model; default: chosen automatically")
    ] = ""
    user: Annotated[str | None, Field(max_length=512)] = None
    store: Annotated[bool, Field(description="store the texts with the answer, like other answers")] = True

    def length(self) -> int:
        """Characters of all texts to translate."""
        return len(self.text or "") + len(self.document or "") + sum(map(len, self.texts or ()))

    def given(self) -> list[str]:
        """The fields with what is to be translated."""
        return [each for each in ("text", "texts", "document") if getattr(self, each) is not None]

    def asked(self) -> tuple[str, str]:
        """The text as one, and its format. Raises ``InvalidRequest``."""
        given = self.given()
        if len(given) != 1:
            raise InvalidRequest(
                "send exactly one of text, texts and document", param=given[1] if len(given) > 1 else "text"
            )
        if given != ["document"] and self.format != "text":
            raise InvalidRequest(f"{given[0]} has no format", remedy="Send it as document", param="format")
        if self.texts is not None:
            return json.dumps(self.texts, ensure_ascii=False), "json"
        return (self.text if self.text is not None else self.document) or "", self.format


class DetectBody(Body):
    """``POST /v1/translate/detect``."""

    text: Annotated[str, Field(min_length=1, max_length=1_000_000)]


class EditBody(Body):
    """``POST /v1/translate/{id}/edit``: how ``source`` should have been translated."""

    source: Annotated[str, Field(min_length=1, max_length=10_000)]
    translation: Annotated[str, Field(max_length=20_000)] = ""
    edit: Annotated[str, Field(min_length=1, max_length=20_000)]
    source_language: Language
    target_language: Language
    consent: Annotated[bool, Field(description="models may learn from this edit")] = False


def router(
    assistant: TranslationAssistant, responder: Responder, edits: Edits, events: EventLog, access: Access,
    charge: Charge, quotas: Quotas, *, enabled: bool,
) -> APIRouter:  # fmt: skip
    """The routes over the request ring."""
    routes = APIRouter(route_class=JsonRoute, tags=["translate"])
    users = Annotated[Context, Depends(access("translate"))]

    def check() -> None:
        if not enabled:
            raise Unsupported("translation is switched off", remedy="Set translate.enabled")

    @routes.post(PREFIX)
    async def translate(http: HttpRequest, body: TranslateBody, context: users) -> HttpResponse:
        """Translate texts or a document. If the source language is uncertain, `needs_source` is true, and `detected`
        lists the candidates: ask the user, and send `source`."""
        check()
        assistant.check_length(body.length(), *body.given()[:1])
        text, kind = body.asked()
        began = time.perf_counter()
        source, guesses = body.source or "", list[Guess]()
        if not source and text.strip():
            await assistant.check_there(context.principal, body.model)
            guesses = await assistant.guesses(" ".join(body.texts) if body.texts else text, context.principal)
            source = assistant.told(guesses)
            if not source:
                async with charge(context, 0):
                    return json_response(_unsure(guesses), charge.headers(context.principal))
        spent = {"detect": round((time.perf_counter() - began) * 1e3, 2)}
        options = {
            "target": body.target, "source": source or body.target, "format": kind, "glossary": body.glossary,
            "names": body.names, "model": body.model,
        }  # fmt: skip
        request = ChatRequest(NAME, (Message("user", text),), user=body.user, store=body.store, options=options)
        answer = await collected(http, responder, request, context)
        spent["total"] = round((time.perf_counter() - began) * 1e3, 2)
        return json_response(_translated(body, answer, text, guesses, spent), head_headers(answer.head))

    @routes.post(PREFIX + "/detect")
    async def detect(body: DetectBody, context: users) -> HttpResponse:
        """Detect the language of a text, among the supported languages."""
        check()
        async with charge(context, 0):
            guesses = await assistant.guesses(body.text, context.principal)
        told = assistant.told(guesses)
        body_ = {"object": "translation.detection", "detected": _candidates(guesses), "source": told or None}
        return json_response(body_, charge.headers(context.principal))

    @routes.get(PREFIX + "/languages")
    async def languages(context: users) -> HttpResponse:
        """The translators of the server, and those that the tenant has trained, with their language pairs."""
        known = await assistant.visible(context.principal)
        data = [
            {"id": each, "object": "translator", "family": card.family, "pairs": list(card.pairs)}
            for each, card in known.items()
        ]
        return json_response({"object": "list", "data": data, "languages": _named(languages_of(known))})

    _editing(routes, edits, events, quotas, access)
    return routes


def _editing(routes: APIRouter, edits: Edits, events: EventLog, quotas: Quotas, access: Access) -> None:
    users = Annotated[Context, Depends(access("translate"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post(PREFIX + "/{answer_id}/edit", status_code=201)
    async def edit_translation(answer_id: str, body: EditBody, context: users) -> HttpResponse:
        """Correct a translated sentence. The correction applies to your later translations and counts as feedback."""
        principal = context.principal
        answer = await events.answer_for(principal, answer_id)
        await quotas.check(principal.tenant, "feedback_per_answer", answer_id)
        facts = FeedbackFacts(key_id=principal.key_id, rating=None, comment=None, edited=True, person=principal.person)
        record = EventRecord(
            id=ids.new("evt_"), at=time.time(), tenant=principal.tenant, trace_id=answer.trace_id, subject=answer_id,
            parent_id=answer.id, facts=facts, content=_edited_answer(answer, body), consent=body.consent,
        )  # fmt: skip
        edit = Edit(
            answer_id, body.source_language, body.target_language, body.source.strip(), body.translation.strip(),
            body.edit.strip(), body.consent,
        )  # fmt: skip
        made = await edits.add(principal, edit, record, answer.person)
        return json_response({"id": made, "object": "translation.edit", "feedback": record.id}, status=201)

    @routes.get(PREFIX + "/edits")
    async def list_edits(
        context: admins,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        after: Annotated[str, Query(max_length=64, description="`next` of the previous page")] = "",
    ) -> HttpResponse:
        """Edits that models may learn from, as sentence pairs: `source`, `target`, `from`, `to`, `domain`."""
        found = await edits.page(context.principal, limit, after, consented=True)
        data = [
            {
                "id": row.id, "object": "translation.pair", "source": row.source, "target": row.edit,
                "from": row.source_language, "to": row.target_language, "domain": "edits", "created_at": row.at,
            }
            for row in found.rows
        ]  # fmt: skip
        following = found.rows[-1].id if found.more else None
        return json_response({"object": "list", "data": data, "has_more": found.more, "next": following})


class HeldOutBody(Body):
    """``POST /v1/translate/edits/held-out``."""

    dataset: Annotated[str, Field(min_length=1, max_length=128, description="Data set to add the examples to")]


def held_out_router(edits: Edits, sets: DataSets | None, access: Access) -> APIRouter:
    """The route that makes a data set of edits."""
    routes = APIRouter(route_class=JsonRoute, tags=["translate"])
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post(PREFIX + "/edits/held-out", status_code=201)
    async def hold_edits_out(body: HeldOutBody, context: admins) -> HttpResponse:
        """Add the edits that are held out, a fifth of all edited sentences, to a data set: translators that learn from
        the other edits can be compared on them."""
        if sets is None:
            raise Unsupported("nothing here keeps data sets", remedy="Install a feature that does")
        found = [each for each in await learnable(edits, context.principal) if each.split == "test"]
        if not found:
            raise InvalidRequest(
                "no edit is held out yet: a fifth of the sentences that people edited with consent will be",
                remedy="Come again when there are more edits",
                param="dataset",
            )
        note = "edits of translations that are held out"
        number = await sets.add_examples(context.principal, body.dataset, found, note=note)
        told = {"object": "translation.held_out", "dataset": body.dataset, "version": number, "examples": len(found)}
        return json_response(told, status=201)

    return routes


def _edited_answer(answer: EventRecord, body: EditBody) -> str | None:
    """The whole answer as the person would have it: feedback is about all of it, and the edit may be of one sentence.
    None: nobody can tell where the edit belongs."""
    if answer.content is None:
        return body.edit
    told: Mapping[str, Any] = json.loads(answer.content)
    asked = [str(each.get("content") or "") for each in told.get("messages", ()) if each.get("role") == "user"]
    if asked and asked[-1].split() == body.source.split():
        return body.edit
    said = [str(each.get("text", "")) for each in told.get("choices", ())[:1]]
    part = body.translation.strip()
    if not said or not part or said[0].count(part) != 1:
        return None
    return said[0].replace(part, body.edit.strip())


def _translated(
    body: TranslateBody, answer: Answer, text: str, guesses: list[Guess], spent: dict[str, float]
) -> dict[str, Any]:
    told = reported(answer.head.headers.get(REPORT, ""))
    said = answer.text
    return {
        "id": answer.head.answer_id,
        "object": "translation",
        "model": answer.head.model,
        "source": told.get("source", body.source),
        "target": body.target,
        "needs_source": False,
        "detected": _candidates(guesses),
        "text": None if body.texts is not None else said,
        "texts": json.loads(said) if body.texts is not None else None,
        "sentences": {
            each: int(told.get(each, 0))
            for each in ("sentences", "remembered", "edited", "parted", "copied", "doubtful")
        },
        "usage": {"characters": len(text) if body.texts is None else sum(map(len, body.texts))}
        | encode.usage_body(answer.usage),
        "timings_ms": spent,
    }


def _unsure(guesses: list[Guess]) -> dict[str, Any]:
    return {
        "id": None, "object": "translation", "model": None, "source": None, "needs_source": True,
        "detected": _candidates(guesses), "text": None, "texts": None,
    }  # fmt: skip


def _candidates(guesses: list[Guess]) -> list[dict[str, Any]]:
    return [
        {"language": each.language, "name": name(each.language), "probability": each.probability}
        for each in guesses[:4]
    ]


def _named(languages: list[str]) -> list[dict[str, str]]:
    return [{"language": each, "name": name(each)} for each in languages]
