"""The section ``plugins.sample`` of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

NAME = "sample"


class SampleSettings(BaseModel):
    """``loud_words`` words in capitals are shouting; an answer of ``brief_words`` words is half as brief as can be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loud_words: int = Field(3, ge=1)
    brief_words: int = Field(40, ge=1)
