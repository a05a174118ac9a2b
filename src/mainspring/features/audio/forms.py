"""The forms of transcriptions and translations: which fields they have, and what happens to each."""

# No postponed annotations here: FastAPI must see them.

from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import Field

from mainspring.core.errors import Unsupported
from mainspring.engines.audio.base import Recording
from mainspring.http.bodies import Body
from mainspring.http.fields import Refused
from mainspring.http.files import named_content

Shape = Literal["json", "text", "srt", "verbose_json", "vtt"]
_ONE_SPEAKER = "speakers are not told apart"


class TranslationForm(Body):
    """``POST /v1/audio/translations``: into English. ``file`` is the recording."""

    file: UploadFile
    model: Annotated[str, Field(min_length=1, max_length=256)]
    prompt: Annotated[str, Field(max_length=8_192)] = ""
    response_format: Shape = "json"
    temperature: Annotated[float, Field(ge=0, le=1)] = 0.0

    async def recording(self) -> Recording:
        """Raises ``InvalidRequest`` and ``Unsupported`` naming a field."""
        _, data = await named_content(self.file)
        return Recording(data, translate=True, prompt=self.prompt, temperature=self.temperature)


class TranscriptionForm(TranslationForm):
    """``POST /v1/audio/transcriptions``. Lists are sent as fields whose names end with ``[]``."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    languages: list[str] = Field(default_factory=list, max_length=64, fail_fast=True, alias="languages[]")
    timestamp_granularities: list[Literal["word", "segment"]] = Field(
        default_factory=list, max_length=2, fail_fast=True, alias="timestamp_granularities[]"
    )
    chunking_strategy: Literal["auto"] | None = None
    include: Annotated[Any, Refused("transcription models return no token probabilities"), Field(alias="include[]")] = (
        None
    )
    keywords: list[Annotated[str, Field(max_length=256)]] = Field(
        default_factory=list, max_length=100, fail_fast=True, alias="keywords[]"
    )
    known_speaker_names: Annotated[Any, Refused(_ONE_SPEAKER), Field(alias="known_speaker_names[]")] = None
    known_speaker_references: Annotated[Any, Refused(_ONE_SPEAKER), Field(alias="known_speaker_references[]")] = None
    stream: bool = False

    async def recording(self) -> Recording:
        """See ``TranslationForm.recording``."""
        if len(self.languages) > 1:
            remedy = "Leave them out: the language is detected"
            raise Unsupported("a recording has one language", remedy=remedy, param="languages[]")
        if "word" in self.timestamp_granularities and self.response_format != "verbose_json":
            problem = "times of words are in verbose_json alone"
            raise Unsupported(problem, remedy="Send response_format verbose_json", param="timestamp_granularities[]")
        _, data = await named_content(self.file)
        return Recording(
            data,
            language=self.language or next(iter(self.languages), ""),
            prompt=". ".join(filter(None, (", ".join(self.keywords), self.prompt))),
            temperature=self.temperature,
            words="word" in self.timestamp_granularities,
            quiet=self.chunking_strategy == "auto",
        )
