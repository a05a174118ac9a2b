"""Settings of the guard that checks the content of answers: ``guards.answers``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section

OnAnswer = Literal["off", "flag", "redact", "refuse", "retry"]
POLITE = "I am sorry, I cannot show an answer to this. Please ask in another way."


class AnswersSettings(Section):
    """What the guard does with answers that are toxic, off the question, or unsupported by their documents.

    ``redact`` removes the sentence. ``refuse`` ends the answer with ``reason``. ``retry`` asks the model again with the
    finding, at most ``retries`` times, and then refuses. A retried answer is shown once it is complete or ``buffered``
    characters long; later findings refuse it. An answer that may be refused or redacted is delayed by ``held`` pieces
    (about tokens), so that a finding comes before the text is shown.
    """

    toxicity: OnAnswer = "off"
    toxicity_above: float | None = Field(
        None, gt=0, lt=1, description="probability from which a sentence counts as toxic; none: the fitted threshold"
    )
    relevancy: Literal["off", "flag", "refuse", "retry"] = "off"
    relevancy_below: float = Field(
        0.2, gt=-1, lt=1, description="cosine of question and answer below which the answer is off the question"
    )
    unsupported: OnAnswer = "off"
    reason: str = Field(POLITE, min_length=1, max_length=1000, description="the text that replaces a refused answer")
    held: int = Field(24, ge=1, le=512, description="pieces of an answer that are held back for the guards")
    retries: int = Field(1, ge=1, le=3)
    buffered: int = Field(4000, ge=100, le=100_000, description="characters up to which an answer may be retried")

    @property
    def judging(self) -> bool:
        """Whether an answer is embedded."""
        return self.toxicity != "off" or self.relevancy != "off"

    @property
    def on(self) -> bool:
        """Whether any of them is on."""
        return self.judging or self.unsupported != "off"

    @property
    def actions(self) -> frozenset[str]:
        """The possible actions."""
        return frozenset({self.toxicity, self.relevancy, self.unsupported})
