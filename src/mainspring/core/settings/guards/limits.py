"""Settings of what may be asked at all: how long, in which languages, about what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section

OnInput = Literal["off", "flag", "refuse"]


class Limited(Section):
    """A limit: what happens beyond it, and the reason that the caller is given."""

    action: OnInput = "off"
    reason: str = Field("", max_length=500)


class LengthLimits(Limited):
    """``characters`` and ``tokens`` limit one user message, ``messages`` all messages except system prompts. Tokens are
    counted as the model counts them where it is known, else as four characters each."""

    characters: int | None = Field(None, gt=0)
    tokens: int | None = Field(None, gt=0)
    messages: int | None = Field(None, gt=0)
    reason: str = Field("Please write less: the message or the conversation is longer than what is answered here.")


class LanguageLimits(Limited):
    """Languages by their two letters (``en``). With ``unknown``, texts whose language cannot be detected (short ones)
    are allowed."""

    allowed: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    unknown: bool = True
    reason: str = Field("Please write in another language: this one is not answered here.")


class Topic(Section):
    """A topic: a description in a sentence, and example questions. More examples tell it better (ten or more)."""

    description: str = Field("", max_length=1000)
    examples: tuple[str, ...] = Field((), max_length=200)

    @model_validator(mode="after")
    def _something(self) -> Topic:
        if not self.description and not self.examples:
            raise ValueError("a topic needs a description or examples")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """Its description and examples."""
        return (*self.examples, *([self.description] if self.description else []))


class TopicLimits(Limited):
    """A question must be near one of the ``allowed`` topics (none: any will do) and near none of the ``forbidden``.
    Near is a likeness from ``allowed_above`` or ``forbidden_above`` on (docs/operate/security.md tells their source).
    Texts of fewer than ``least_words`` words are not judged for being about something allowed."""

    allowed: dict[str, Topic] = Field(default_factory=dict)
    forbidden: dict[str, Topic] = Field(default_factory=dict)
    allowed_above: float = Field(0.18, gt=0, lt=1)
    forbidden_above: float = Field(0.42, gt=0, lt=1)
    least_words: int = Field(4, ge=1)
    reason: str = Field("Sorry, that is not something I can help with here.")
