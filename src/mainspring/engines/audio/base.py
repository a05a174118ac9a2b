"""What hears and what speaks: the contracts of transcribers and voices, and their kinds in the registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mainspring.core.plugins import Kind
from mainspring.core.settings import Settings
from mainspring.core.settings.audio import AudioSettings


@dataclass(frozen=True, slots=True)
class Recording:
    """Audio in any usual format, and how to transcribe it. ``language`` empty: the model tells it. ``translate``: into
    English. ``prompt`` is text that came before, or words that occur. ``quiet``: silence is removed first."""

    data: bytes
    language: str = ""
    translate: bool = False
    prompt: str = ""
    temperature: float = 0.0
    words: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """About a whole recording: its language as a code, and its length in seconds."""

    language: str
    duration: float


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word from ``start`` to ``end`` in seconds."""

    word: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A stretch of speech from ``start`` to ``end`` in seconds, with the model's measures of it."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: Sequence[int] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    words: Sequence[SpokenWord] = ()


class Transcriber(Protocol):
    """Turns audio into text. Belongs to one event loop."""

    @property
    def name(self) -> str: ...

    def transcribe(self, wanted: Recording) -> AsyncGenerator[Heard | SpokenSegment, None]:
        """First what was heard, then the segments in their order as they come.

        Raises ``InvalidRequest`` for what is no audio or too long, ``Unsupported`` for a language that the model does
        not know, ``MissingExtra``, ``ModelNotPulled``, ``Overloaded``, ``EngineDied``.
        """
        ...

    async def close(self) -> None: ...


class Voice(Protocol):
    """Turns text into audio."""

    @property
    def name(self) -> str: ...

    async def speak(self, text: str, voice: str, speed: float) -> bytes:
        """A WAV file, mono in 16 bits; ``speed`` 1 is usual. Raises ``InvalidRequest`` for a ``voice`` that there is
        not, ``MissingExtra``, ``EngineDied``."""
        ...


TRANSCRIBER: Kind[[Settings, AudioSettings], Transcriber] = Kind(
    "transcriber",
    Transcriber,
    ("settings", "audio"),
    builtins="mainspring.engines.audio.builtin",
    setting="audio.transcriber",
)
VOICE: Kind[[Settings, AudioSettings], Voice] = Kind(
    "voice", Voice, ("settings", "audio"), builtins="mainspring.engines.audio.builtin", setting="audio.voice"
)
