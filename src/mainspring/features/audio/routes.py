"""``/v1/audio``, in OpenAI's shape: transcriptions, translations, speech."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse

from mainspring.core.errors import MainspringError, Unsupported
from mainspring.core.types import Context
from mainspring.engines.audio.base import Heard, Recording, SpokenSegment, Transcriber
from mainspring.features.audio import shapes
from mainspring.features.audio.bills import HEARING, SPEAKING, Bills, SpeechBill
from mainspring.features.audio.encode import MEDIA_TYPES, Sound, encoded
from mainspring.features.audio.forms import TranscriptionForm, TranslationForm
from mainspring.features.audio.service import Speech
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.fields import Refused
from mainspring.http.openai import encode
from mainspring.http.request_body import DEPLOYMENT, JsonRoute
from mainspring.http.respond import json_response, while_connected
from mainspring.serving.admit.rate_limits import Charge

SOUND: dict[int | str, dict[str, Any]] = {200: {"content": {each: {} for each in MEDIA_TYPES.values()}}}
_PIECE = 64 * 1024


class VoiceName(Body):
    """A voice by its id."""

    id: Annotated[str, Field(min_length=1, max_length=64)]


class SpeechBody(Body):
    """``POST /v1/audio/speech``: ``input`` is spoken."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    input: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    voice: Annotated[str, Field(min_length=1, max_length=64)] | VoiceName
    instructions: Annotated[Any, Refused("the voice supports no instructions", unless=("",))] = None
    response_format: Sound = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    stream_format: Literal["sse", "audio"] = "audio"


def router(speech: Speech, access: Access, charge: Charge, bills: Bills) -> APIRouter:
    """The routes over what hears and what speaks; each request counts to the key's limits, and has its price."""
    routes = APIRouter(route_class=JsonRoute, tags=["audio"], prefix="/v1/audio")
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/transcriptions")
    async def transcriptions(
        http: HttpRequest, form: Annotated[TranscriptionForm, Form(media_type="multipart/form-data")], context: chats
    ) -> HttpResponse:
        transcriber = speech.transcriber(_model(http, form.model))
        wanted = await form.recording()
        if not form.stream:
            return await _heard(http, transcriber, wanted, form, context, charge, bills)
        if form.response_format != "json":
            raise Unsupported("streams only support the format json", param="response_format")
        return await _streamed(transcriber, wanted, context, charge, bills)

    @routes.post("/translations")
    async def translations(
        http: HttpRequest, form: Annotated[TranslationForm, Form(media_type="multipart/form-data")], context: chats
    ) -> HttpResponse:
        transcriber = speech.transcriber(_model(http, form.model))
        return await _heard(http, transcriber, await form.recording(), form, context, charge, bills)

    @routes.post("/speech", response_class=HttpResponse, responses=SOUND)
    async def speak(http: HttpRequest, body: SpeechBody, context: chats) -> HttpResponse:
        voice = speech.voice(body.model)
        speech.check_text(body.input)
        name = body.voice if isinstance(body.voice, str) else body.voice.id
        async with bills.open(context, voice.name, SPEAKING) as bill:
            await bill.speak(len(body.input))
            wav = await while_connected(http, voice.speak(body.input, name, body.speed))
            bill.spoken()
            sound = await asyncio.to_thread(encoded, wav, body.response_format)
        headers = charge.headers(context.principal)
        if body.stream_format == "audio":
            return HttpResponse(sound, media_type=MEDIA_TYPES[body.response_format], headers=headers)
        return HttpResponse(b"".join(_sound_events(sound)), media_type="text/event-stream", headers=headers)

    return routes


def _model(http: HttpRequest, model: str) -> str:
    """The model of the path, if that names one: Azure's clients."""
    return str(http.scope.get("state", {}).get(DEPLOYMENT, model))


async def _heard(
    http: HttpRequest,
    transcriber: Transcriber,
    wanted: Recording,
    form: TranslationForm,
    context: Context,
    charge: Charge,
    bills: Bills,
) -> HttpResponse:
    async with bills.open(context, transcriber.name, HEARING) as bill:
        heard, segments = await while_connected(http, _collected(transcriber, wanted, bill))
    headers = charge.headers(context.principal)
    match form.response_format:
        case "text":
            return HttpResponse(shapes.whole_text(segments) + "\n", media_type="text/plain", headers=headers)
        case "srt":
            return HttpResponse(shapes.srt(segments), media_type="application/x-subrip", headers=headers)
        case "vtt":
            return HttpResponse(shapes.vtt(segments), media_type="text/vtt", headers=headers)
        case "verbose_json":
            granularities = form.timestamp_granularities if isinstance(form, TranscriptionForm) else []
            task = "translate" if wanted.translate else "transcribe"
            return json_response(shapes.verbose(heard, segments, task, granularities), headers)
    return json_response(shapes.plain(heard, segments), headers)


async def _collected(
    transcriber: Transcriber, wanted: Recording, bill: SpeechBill
) -> tuple[Heard, list[SpokenSegment]]:
    heard, segments = Heard("", 0.0), []
    async with aclosing(transcriber.transcribe(wanted)) as coming:
        async for each in coming:
            if isinstance(each, Heard):
                heard = each
                await bill.hear(each.duration)
            else:
                segments.append(each)
    return heard, segments


async def _streamed(
    transcriber: Transcriber, wanted: Recording, context: Context, charge: Charge, bills: Bills
) -> HttpResponse:
    """Events as the segments come. What fails before the first one is an HTTP status."""
    events = _events(transcriber, wanted, context, bills)
    first = await anext(events)

    async def frames() -> AsyncGenerator[bytes, None]:
        async with aclosing(events):
            yield first
            async for frame in events:
                yield frame

    headers = {**charge.headers(context.principal), "x-accel-buffering": "no"}
    return StreamingResponse(frames(), media_type="text/event-stream", headers=headers)


async def _events(
    transcriber: Transcriber, wanted: Recording, context: Context, bills: Bills
) -> AsyncGenerator[bytes, None]:
    segments: list[SpokenSegment] = []
    heard = Heard("", 0.0)
    started = False
    try:
        async with (
            bills.open(context, transcriber.name, HEARING) as bill,
            aclosing(transcriber.transcribe(wanted)) as coming,
        ):
            async for each in coming:
                if isinstance(each, Heard):
                    heard = each
                    await bill.hear(each.duration)
                    continue
                segments.append(each)
                yield _frame(shapes.delta(each, first=not started))
                started = True
        yield _frame(shapes.done(heard, segments))
    except MainspringError as error:
        if not started:
            raise
        yield encode.error_frame(error)


def _sound_events(sound: bytes) -> list[bytes]:
    pieces = [base64.b64encode(sound[at : at + _PIECE]).decode() for at in range(0, len(sound), _PIECE)]
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    return [
        *(_frame({"type": "speech.audio.delta", "audio": piece}) for piece in pieces),
        _frame({"type": "speech.audio.done", "usage": usage}),
    ]


def _frame(event: dict[str, Any]) -> bytes:
    return b"data: " + encode.dumps(event) + b"\n\n"
