"""The built-in transcriber and voice."""

from __future__ import annotations

from mainspring.core.plugins import Registry, hookimpl
from mainspring.engines.audio.base import TRANSCRIBER, VOICE
from mainspring.engines.audio.espeak import PROGRAM, Espeak
from mainspring.engines.audio.whisper import FasterWhisper


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory(settings, audio)``."""
    registry.add(TRANSCRIBER, "faster-whisper", FasterWhisper)
    registry.add(VOICE, PROGRAM, Espeak)
