"""Settings of speech."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.money import Usd


class AudioSettings(Section):
    """Speech (docs/guides/audio.md): speech recognition, speech synthesis, and their limits."""

    transcriber: str = Field("faster-whisper", description="engine for speech recognition, by its name in the registry")
    model: str = Field(
        "whisper-tiny-en", description="its model: a catalogue name, or a folder in CTranslate2's format"
    )
    voice: str = Field("espeak-ng", description="engine for speech synthesis, by its name in the registry")
    max_seconds: int = Field(3_600, ge=1, description="maximum length of a recording in seconds")
    max_characters: int = Field(4_096, ge=1, description="maximum characters of a text to speak")
    timeout_s: float = Field(600.0, gt=0, description="seconds that a recording or a text may take")
    memory_mb: int = Field(4_096, ge=512, description="address space of the process that transcribes")
    threads: int = Field(0, ge=0, description="threads of that process; 0: one per processor, at most four")
    usd_per_minute: Usd = Field(0.0, description="price of a transcribed minute, for budgets and costs")
    usd_per_million_characters: Usd = Field(0.0, description="price of a million spoken characters")
    waiting: int = Field(16, ge=0, description="recordings that may wait while one is transcribed")
