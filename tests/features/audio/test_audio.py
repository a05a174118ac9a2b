"""Speech over HTTP as OpenAI's client asks for it: with a scripted transcriber, and with the real small model."""

from __future__ import annotations

import io
import json
import shutil
import wave
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest

import tests.world as worlds
from mainspring.core.errors import MissingExtra, ModelNotPulled
from mainspring.core.settings import Settings, load
from mainspring.core.settings.audio import AudioSettings
from mainspring.engines.audio import espeak
from mainspring.engines.audio.base import Heard, Recording, SpokenSegment, SpokenWord
from mainspring.engines.audio.whisper import FasterWhisper
from mainspring.engines.catalogue.pull import Puller
from mainspring.features.audio.encode import encoded
from mainspring.features.audio.service import Speech
from tests.conftest import ROOT
from tests.gateway.knowledge.clients import client_of

SPOKEN = (ROOT / "tests" / "data" / "speech.ogg").read_bytes()
"""A voice says: The shop opens at nine and closes at five. Bring your own bags."""
SEGMENTS = (
    SpokenSegment(
        0, 0, 0.0, 61.5, " One two.", (1, 2), words=(SpokenWord("One", 0.0, 0.4), SpokenWord("two.", 0.5, 1.0))
    ),
    SpokenSegment(1, 3000, 61.5, 3725.04, " Three.", (3,)),
)


class Scripted:
    """Hears always the same, and keeps what it was asked."""

    name = "scripted"

    def __init__(self) -> None:
        self.asked: list[Recording] = []

    async def transcribe(self, wanted: Recording) -> AsyncGenerator[Heard | SpokenSegment, None]:
        self.asked.append(wanted)
        yield Heard("en", 3725.04)
        for each in SEGMENTS:
            yield each

    async def close(self) -> None:
        pass


class Tone:
    """Says everything as silence."""

    name = "tone"

    async def speak(self, text: str, voice: str, speed: float) -> bytes:
        return silence(len(text) / 10 / speed)


def silence(seconds: float) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(22_050)
        out.writeframes(bytes(2 * int(seconds * 22_050)))
    return target.getvalue()


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


def scripted(world: worlds.World) -> Scripted:
    made = Scripted()
    speech = world.system.services[Speech]
    speech._transcriber, speech._voice = made, Tone()
    return made


async def test_each_format_of_a_transcription(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        made = scripted(world)
        ask = client.audio.transcriptions.create
        found = await ask(file=("a.wav", b"x"), model="whisper-1", prompt="Names: Ada.", language="en")
        assert (found.text, found.usage.type, found.usage.seconds) == ("One two. Three.", "duration", 3726)
        assert made.asked[-1] == Recording(b"x", language="en", prompt="Names: Ada.")
        assert await ask(file=("a.wav", b"x"), model="scripted", response_format="text") == "One two. Three.\n"
        assert await ask(file=("a.wav", b"x"), model="scripted", response_format="srt") == (
            "1\n00:00:00,000 --> 00:01:01,500\nOne two.\n\n2\n00:01:01,500 --> 01:02:05,040\nThree.\n"
        )
        vtt = await ask(file=("a.wav", b"x"), model="scripted", response_format="vtt")
        assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:01:01.500\nOne two.\n\n")
        verbose = await ask(file=("a.wav", b"x"), model="gpt-4o-transcribe", response_format="verbose_json")
        assert (verbose.language, verbose.duration, len(verbose.segments)) == ("english", 3725.04, 2)
        assert verbose.words is None
        words = await ask(
            file=("a.wav", b"x"), model="whisper-1", response_format="verbose_json",
            timestamp_granularities=["word"], chunking_strategy="auto", keywords=["Ada", "Bo"],
        )  # fmt: skip
        assert [each.word for each in words.words] == ["One", "two."]
        assert words.segments is None
        assert made.asked[-1] == Recording(b"x", prompt="Ada, Bo", words=True, quiet=True)
        await client.audio.translations.create(file=("a.wav", b"x"), model="whisper-1")
        assert made.asked[-1].translate


async def test_a_transcription_is_streamed(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        scripted(world)
        stream = await client.audio.transcriptions.create(file=("a.wav", b"x"), model="whisper-1", stream=True)
        events = [each async for each in stream]
        assert [each.type for each in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
        assert "".join(each.delta for each in events[:2]) == events[2].text == "One two. Three."


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"model": "other"}, "model"),
    ({"response_format": "diarized_json"}, "response_format"),
    ({"response_format": "srt", "stream": "true"}, "response_format"),
    ({"temperature": "2"}, "temperature"),
    ({"language": "English"}, "language"),
    ({"languages[]": ["en", "de"]}, "languages[]"),
    ({"include[]": ["logprobs"]}, "include[]"),
    ({"known_speaker_names[]": ["Ada"]}, "known_speaker_names[]"),
    ({"timestamp_granularities[]": ["word"]}, "timestamp_granularities[]"),
    ({"respnse_format": "json"}, "respnse_format"),
)


async def test_what_cannot_be_honoured_is_named(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (_, world):
        scripted(world)
        for fields, param in REFUSED:
            more = {"data": {"model": "whisper-1", **fields}, "files": {"file": ("a.wav", b"x")}, "json": None}
            found = await world.call(world.keys["red"], "POST", "/v1/audio/transcriptions", **more)
            assert found.status_code in (400, 404), fields
            assert found.json()["error"]["param"] == param, fields


async def test_text_is_spoken_in_each_format(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        scripted(world)
        heads = {"mp3": (b"ID3", b"\xff"), "opus": (b"OggS",), "aac": (b"\xff",), "flac": (b"fLaC",), "wav": (b"RIFF",)}
        for kind, begins in heads.items():
            said = await client.audio.speech.create(
                model="tts-1", voice="alloy", input="Hello there", response_format=kind
            )
            assert said.content.startswith(begins), kind
        pcm = await client.audio.speech.create(model="tts-1", voice="alloy", input="x" * 10, response_format="pcm")
        assert abs(len(pcm.content) - 2 * 24_000) < 200
        with pytest.raises(openai.BadRequestError) as refused:
            await client.audio.speech.create(model="tts-1", voice="alloy", input="x", instructions="Whisper")
        assert refused.value.param == "instructions"
        with pytest.raises(openai.BadRequestError) as long:
            await client.audio.speech.create(model="tts-1", voice="alloy", input="x" * 4097)
        assert long.value.param == "input"
        events = await world.call(
            world.keys["red"], "POST", "/v1/audio/speech",
            {"model": "tts-1", "voice": {"id": "alloy"}, "input": "Hi", "stream_format": "sse"},
        )  # fmt: skip
        kinds = [json.loads(line.removeprefix("data: "))["type"] for line in events.text.splitlines() if line]
        assert kinds == ["speech.audio.delta", "speech.audio.done"]


async def test_what_is_heard_and_spoken_has_its_price(tmp_path: Path) -> None:
    audio = AudioSettings(usd_per_minute=0.6, usd_per_million_characters=1_000)
    async with client_of(tmp_path / "home", audio=audio) as (client, world):
        scripted(world)
        admin = world.keys["red"]
        budget = {"scope": "tenant", "window": "day", "limit_usd": 80, "hard": True}
        assert (await world.call(admin, "POST", "/v1/budgets", budget)).status_code == 200
        await client.audio.transcriptions.create(file=("a.wav", b"x"), model="whisper-1")
        stream = await client.audio.transcriptions.create(file=("a.wav", b"x"), model="whisper-1", stream=True)
        assert [each.type async for each in stream][-1] == "transcript.text.done"
        await client.audio.speech.create(model="tts-1", voice="alloy", input="Hello", response_format="wav")
        rows = (await world.call(admin, "GET", "/v1/costs?by=model")).json()["data"]
        found = {each["model"]: (each["calls"], round(each["cost_usd"], 6)) for each in rows}
        # 62 minutes of 60 cents twice, and 5 characters.
        assert found == {"scripted": (2, 2 * 37.2504), "tone": (1, 0.005)}
        spent = (await world.call(admin, "GET", "/v1/budgets")).json()["data"][0]["spent_usd"]
        assert round(spent, 6) == round(2 * 37.2504 + 0.005, 6)
        # A third recording costs more than is left: it is not heard, and what failed costs nothing.
        for streams in (False, True):
            with pytest.raises(openai.RateLimitError, match="budget"):
                await client.audio.transcriptions.create(file=("a.wav", b"x"), model="whisper-1", stream=streams)
        with pytest.raises(openai.NotFoundError):
            await client.audio.transcriptions.create(file=("a.wav", b"x"), model="unheard")
        await client.audio.speech.create(model="tts-1", voice="alloy", input="Hello", response_format="wav")
        rows = (await world.call(admin, "GET", "/v1/costs?by=model")).json()["data"]
        assert {each["model"]: each["calls"] for each in rows} == {"scripted": 2, "tone": 2}
        left = (await world.call(admin, "GET", "/v1/budgets")).json()["data"][0]
        assert left["reserved_nanousd"] == 0


async def test_azures_path_names_the_model(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (_, world):
        scripted(world)
        path = "/openai/deployments/{}/audio/transcriptions?api-version=2024-10-21"
        more = {"data": {"model": "x"}, "files": {"file": ("a.wav", b"x")}, "json": None}
        assert (await world.call(world.keys["red"], "POST", path.format("whisper-1"), **more)).status_code == 200
        assert (await world.call(world.keys["red"], "POST", path.format("none"), **more)).status_code == 404


async def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"models": {"directory": str(tmp_path)}})
    hears = FasterWhisper(settings, AudioSettings())
    with pytest.raises(ModelNotPulled, match="mainspring models pull whisper-tiny-en"):
        _ = [each async for each in hears.transcribe(Recording(b"x"))]
    monkeypatch.setattr("mainspring.engines.audio.whisper.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"mainspring\[audio\]"):
        _ = [each async for each in hears.transcribe(Recording(b"x"))]
    monkeypatch.setattr("mainspring.engines.audio.espeak.shutil.which", lambda _: None)
    with pytest.raises(MissingExtra, match="espeak-ng"):
        await espeak.Espeak(settings, AudioSettings()).speak("Hi", "alloy", 1.0)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match="response_format wav"):
        encoded(silence(0.1), "mp3")


@pytest.mark.slow
async def test_the_small_model_hears_what_was_said(tmp_path: Path) -> None:
    settings = load().settings
    Puller(settings).pull("whisper-tiny-en")
    async with client_of(tmp_path / "home", models=settings.models.model_copy(update={"chat": ()})) as (client, _):
        ask = client.audio.transcriptions.create
        found = await ask(file=("speech.ogg", SPOKEN), model="whisper-tiny-en", response_format="verbose_json")
        words = found.text.lower()
        assert "bring your own bags" in words
        assert 3 < found.duration < 8
        assert found.segments[-1].end <= found.duration + 1
        timed = await ask(
            file=("speech.ogg", SPOKEN),
            model="whisper-1",
            response_format="verbose_json",
            timestamp_granularities=["word"],
        )
        starts = [each.start for each in timed.words]
        assert len(starts) > 8
        assert starts == sorted(starts)
        with pytest.raises(openai.BadRequestError) as noise:
            await ask(file=("a.wav", b"nonsense" * 100), model="whisper-1")
        assert noise.value.param == "file"
        with pytest.raises(openai.BadRequestError) as german:
            await ask(file=("speech.ogg", SPOKEN), model="whisper-1", language="de")
        assert german.value.param == "language"
        with pytest.raises(openai.BadRequestError):
            await client.audio.translations.create(file=("speech.ogg", SPOKEN), model="whisper-1")
        # It is the same process after all of these.
        assert "bring your own bags" in (await ask(file=("speech.ogg", SPOKEN), model="whisper-1")).text.lower()


@pytest.mark.slow
async def test_a_recording_that_nobody_waits_for_ends_the_process(tmp_path: Path) -> None:
    settings = load().settings
    Puller(settings).pull("whisper-tiny-en")
    hears = FasterWhisper(settings, AudioSettings(max_seconds=2, waiting=0))
    try:
        coming = hears.transcribe(Recording(encoded(silence(1.0), "wav")))
        assert isinstance(await anext(coming), Heard)
        first = hears._process
        await coming.aclose()
        assert first is not None
        assert first.returncode is not None
        with pytest.raises(Exception, match="at most 2 are allowed"):
            _ = [each async for each in hears.transcribe(Recording(SPOKEN))]
        assert hears._process is not None
        assert hears._process.returncode is None
    finally:
        await hears.close()


@pytest.mark.skipif(shutil.which(espeak.PROGRAM) is None, reason="espeak-ng is not installed")
async def test_the_voice_speaks(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):

        async def spoken(**more: Any) -> float:
            said = await client.audio.speech.create(
                **{"model": "tts-1", "voice": "alloy", "response_format": "wav", **more}
            )
            with wave.open(io.BytesIO(said.content)) as sound:
                return float(sound.getnframes() / sound.getframerate())

        usual = await spoken(input="Hello to all of you, Ünïcode included.")
        assert 1 < usual < 8
        assert await spoken(input="Hello to all of you, Ünïcode included.", speed=2.0) < 0.7 * usual
        for wrong in ("nobody-here", "../x", "en; ls"):
            with pytest.raises(openai.BadRequestError) as refused:
                await spoken(input="x", voice=wrong)
            assert refused.value.param == "voice"
