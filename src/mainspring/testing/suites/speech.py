"""The contracts of transcribers and voices."""

from __future__ import annotations

import asyncio
import io
import wave

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.engines.audio.base import Heard, Recording, SpokenSegment, Transcriber, Voice


@pytest.mark.asyncio
class TranscriberSuite:
    """A subclass has a fixture ``transcriber``, a ``recording`` of speech and ``said``, some of its words."""

    recording = b""
    said: tuple[str, ...] = ()

    async def heard(
        self, transcriber: Transcriber, data: bytes, *, words: bool = False
    ) -> tuple[Heard, list[SpokenSegment]]:
        """A whole recording."""
        first, *segments = [each async for each in transcriber.transcribe(Recording(data, words=words))]
        assert isinstance(first, Heard)
        assert all(isinstance(each, SpokenSegment) for each in segments)
        return first, [each for each in segments if isinstance(each, SpokenSegment)]

    async def test_it_has_a_name(self, transcriber: Transcriber) -> None:
        assert transcriber.name

    async def test_speech_is_transcribed(self, transcriber: Transcriber) -> None:
        first, segments = await self.heard(transcriber, self.recording)
        text = "".join(each.text for each in segments).lower()
        assert first.language
        assert [words for words in self.said if words.lower() not in text] == []

    async def test_segments_are_in_order_and_within_the_recording(self, transcriber: Transcriber) -> None:
        first, segments = await self.heard(transcriber, self.recording, words=True)
        assert first.duration > 0
        assert [each.start for each in segments] == sorted(each.start for each in segments)
        # The last segment may end a little beyond the last sample.
        assert all(0 <= each.start <= each.end <= first.duration + 1 for each in segments)
        for each in segments:
            assert all(each.start - 1 <= word.start <= word.end <= each.end + 1 for word in each.words)

    async def test_recordings_wait_for_each_other(self, transcriber: Transcriber) -> None:
        both = await asyncio.gather(*(self.heard(transcriber, self.recording) for _ in range(2)))
        assert [bool(segments) for _, segments in both] == [True, True]

    @pytest.mark.parametrize("data", [b"", b"no audio", bytes(range(256)) * 40])
    async def test_what_is_not_audio_is_refused(self, transcriber: Transcriber, data: bytes) -> None:
        with pytest.raises(InvalidRequest):
            await self.heard(transcriber, data)
        assert (await self.heard(transcriber, self.recording))[1]

    async def test_it_can_be_closed_twice(self, transcriber: Transcriber) -> None:
        await transcriber.close()
        await transcriber.close()


@pytest.mark.asyncio
class VoiceSuite:
    """A subclass has a fixture ``voice``, and the name of one of its voices in ``speaker``. ``unknown`` names none;
    empty: it takes any name."""

    speaker = "alloy"
    unknown = "no-such-voice"

    async def test_it_has_a_name(self, voice: Voice) -> None:
        assert voice.name

    async def test_a_text_becomes_a_wav_file(self, voice: Voice) -> None:
        assert _seconds(await voice.speak("The harbour opens at six.", self.speaker, 1.0)) > 0

    async def test_a_longer_text_takes_longer(self, voice: Voice) -> None:
        short = await voice.speak("Six.", self.speaker, 1.0)
        long = await voice.speak("In winter the harbour opens at eight, and in summer at six.", self.speaker, 1.0)
        assert _seconds(long) > _seconds(short)

    async def test_speech_can_be_faster(self, voice: Voice) -> None:
        text = "In winter the harbour opens at eight, and in summer at six."
        usual, fast = [_seconds(await voice.speak(text, self.speaker, speed)) for speed in (1.0, 2.0)]
        assert fast < usual

    async def test_several_are_spoken_at_once(self, voice: Voice) -> None:
        spoken = await asyncio.gather(*(voice.speak(f"Number {number}.", self.speaker, 1.0) for number in range(3)))
        assert all(_seconds(each) > 0 for each in spoken)

    async def test_an_unknown_voice_is_refused(self, voice: Voice) -> None:
        if self.unknown:
            with pytest.raises(InvalidRequest):
                await voice.speak("Six.", self.unknown, 1.0)


def _seconds(data: bytes) -> float:
    """The length of a WAV file, which must be mono in 16 bits."""
    with wave.open(io.BytesIO(data)) as sound:
        assert sound.getnchannels() == 1
        assert sound.getsampwidth() == 2
        return float(sound.getnframes() / sound.getframerate())
