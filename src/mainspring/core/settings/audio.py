"""Settings of speech."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.money import Usd


class AudioSettings(Section):
    """Speech (docs/guides/audio.md): what hears, what speaks, and their bounds."""

    transcriber: str = Field("faster-whisper", description="what turns audio into text, by its name in the registry")
    model: str = Field("whisper-tiny-en", description="its model: of the catalogue, or a folder in CTranslate2's form")
    voice: str = Field("espeak-ng", description="what turns text into audio, by its name in the registry")
    max_seconds: int = Field(3_600, ge=1, description="of a recording")
    max_characters: int = Field(4_096, ge=1, description="of a text to speak")
    timeout_s: float = Field(600.0, gt=0, description="seconds for a recording or a text")
    memory_mb: int = Field(4_096, ge=512, description="address space of the process that hears")
    threads: int = Field(0, ge=0, description="of that process; 0: as many as there are processors, four at most")
    usd_per_minute: Usd = Field(0.0, description="price of a minute that is heard, for budgets and costs")
    usd_per_million_characters: Usd = Field(0.0, description="price of a million characters that are spoken")
    waiting: int = Field(16, ge=0, description="recordings that may wait while one is heard")
