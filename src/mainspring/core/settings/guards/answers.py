"""Settings of what is done with answers whose content is at fault: ``guards.answers``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section

OnAnswer = Literal["off", "flag", "redact", "refuse", "retry"]
POLITE = "I am sorry, I cannot show an answer to this. Please ask in another way."


class AnswersSettings(Section):
    """What is done with answers that are toxic, beside the question, or not in the documents that they are made of.

    ``redact`` leaves out the sentence, ``refuse`` ends the answer with ``reason``, ``retry`` asks again, at most
    ``retries`` times, with what was wrong, and then refuses: answers are shown when they are whole or ``buffered``
    characters long, and what is found later is refused. Of an answer that may be refused or redacted ``held`` pieces
    (about tokens) wait, so that what is found is found before it is shown.
    """

    toxicity: OnAnswer = "off"
    toxicity_above: float | None = Field(
        None, gt=0, lt=1, description="probability from which a sentence counts; none: the fitted threshold"
    )
    relevancy: Literal["off", "flag", "refuse", "retry"] = "off"
    relevancy_below: float = Field(
        0.2, gt=-1, lt=1, description="cosine of question and answer below which an answer is beside it"
    )
    unsupported: OnAnswer = "off"
    reason: str = Field(POLITE, min_length=1, max_length=1000, description="what is said in place of a refused answer")
    held: int = Field(24, ge=1, le=512, description="pieces of an answer that wait for the guards")
    retries: int = Field(1, ge=1, le=3)
    buffered: int = Field(4000, ge=100, le=100_000, description="characters of an answer that may be asked again")

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
        """What may be done."""
        return frozenset({self.toxicity, self.relevancy, self.unsupported})
