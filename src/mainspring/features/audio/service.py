"""What hears and what speaks here, made when they are first asked."""

from __future__ import annotations

from typing import TypeVar

from mainspring.core.errors import InvalidRequest, UnknownModel
from mainspring.core.nearest import shown
from mainspring.core.plugins import Registry
from mainspring.core.settings import Settings
from mainspring.core.settings.audio import AudioSettings
from mainspring.engines.audio.base import TRANSCRIBER, VOICE, Transcriber, Voice

T = TypeVar("T", Transcriber, Voice)
# The names that OpenAI's clients send; there is one transcriber and one voice.
HEARING = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize")
SPEAKING = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")


class Speech:
    """Belongs to one event loop."""

    def __init__(self, plugins: Registry, settings: Settings, audio: AudioSettings) -> None:
        self.audio = audio
        self._plugins = plugins
        self._settings = settings
        self._transcriber: Transcriber | None = None
        self._voice: Voice | None = None

    def transcriber(self, model: str) -> Transcriber:
        """Raises ``UnknownModel`` for a name that is neither its own nor one of OpenAI's, ``SettingsError``."""
        if self._transcriber is None:
            self._transcriber = self._plugins.make(TRANSCRIBER, self.audio.transcriber, self._settings, self.audio)
        return _called(self._transcriber, model, HEARING, "hears")

    def voice(self, model: str) -> Voice:
        """Raises what ``transcriber`` does."""
        if self._voice is None:
            self._voice = self._plugins.make(VOICE, self.audio.voice, self._settings, self.audio)
        return _called(self._voice, model, SPEAKING, "speaks")

    async def close(self) -> None:
        if self._transcriber is not None:
            await self._transcriber.close()

    def check_text(self, text: str) -> None:
        """Raises ``InvalidRequest``."""
        if len(text) > self.audio.max_characters:
            problem = f"input has {len(text)} characters, but at most {self.audio.max_characters} are spoken"
            raise InvalidRequest(problem, remedy="Send less, or raise audio.max_characters", param="input")


def _called(found: T, model: str, known: tuple[str, ...], does: str) -> T:
    dated = model.startswith(tuple(f"{each}-2" for each in known))
    if model != found.name and model not in known and not dated:
        remedy = f"Name {found.name}, or one of {', '.join(known)}"
        raise UnknownModel(f"no model {shown(model)!r} {does} here", remedy=remedy, param="model")
    return found
