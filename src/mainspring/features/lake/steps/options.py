"""Options of the steps, as the settings give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PrivateAttr

from mainspring.core.settings.section import Section

if TYPE_CHECKING:
    from mainspring.engines.catalogue.pull import PulledModel

StepName = Literal[
    "parse",
    "enrich",
    "validate",
    "empty",
    "truncated",
    "synthetic",
    "errors",
    "consent",
    "personal_data",
    "harm",
    "toxicity",
    "jailbreaks",
    "quality",
    "exact_duplicates",
    "near_duplicates",
    "balance",
]


class Balance(Section):
    """What no group of rows may exceed."""

    per_subject: int = Field(0, ge=0, description="maximum rows of one person; 0: no limit")
    per_session: int = Field(0, ge=0, description="maximum rows of one session; 0: no limit")
    application_share: float = Field(1.0, gt=0, le=1, description="maximum share of one application")
    language_share: float = Field(1.0, gt=0, le=1, description="maximum share of one language")


class BuildSettings(Section):
    """The steps of a build (docs/guides/lake.md)."""

    without: list[StepName] = Field([], description="steps that are left out")
    every_s: float = Field(86_400.0, ge=60, description="seconds between two builds of a server, in the mode hybrid")
    workers: int = Field(1, ge=0, le=64, description="processes for the steps; 0: within the process of the build")
    keep: int = Field(3, ge=1, description="finished builds of a tenant that are kept")
    segments: dict[str, str] = Field({}, description="the segment of a key, by the key's id")
    test_users: list[str] = Field([], description="names of users whose requests are tests")
    test_applications: list[str] = Field([], description="applications that are asked by tests only")
    least_characters: int = Field(1, ge=1, description="of a question and of its answer")
    personal_data: Literal["redact", "drop"] = Field("redact", description="treatment of personal data")
    personal_kinds: list[str] = Field([], description="kinds of personal data that are looked for; empty: all")
    names: bool = Field(True, description="also look for names that people give of themselves")
    ner: str = Field("", description="spaCy pipeline that finds all other names (extra `ner`); empty: none")
    ner_share: float = Field(1.0, gt=0, le=1, description="share of the rows that the spaCy pipeline reads")
    ner_labels: list[str] = Field(["PERSON", "PER"], min_length=1, description="what a pipeline calls people")
    toxicity: Literal["guards", "detector"] = Field(
        "guards",
        description="what makes a text toxic: what guards found at the time, or also their detector, which reads all "
        "texts with its embedding model",
    )
    toxicity_above: float | None = Field(
        None, gt=0, lt=1, description="chance from which the detector calls a text toxic; null: the fitted threshold"
    )
    jailbreak_chance: float = Field(0.9, gt=0, lt=1, description="of the detector, from which a question is an attack")
    quality: Literal["any", "not_bad", "good"] = Field(
        "not_bad",
        description="not_bad: drop what people or judges disapprove of and nobody corrected; good: keep only what they "
        "approve of or corrected",
    )
    least_score: float = Field(0.5, ge=0, le=1, description="mean score of judges below which an answer is bad")
    similar: float = Field(0.8, gt=0, lt=1, description="Jaccard similarity from which rows are near-duplicates")
    balance: Balance = Balance()
    _detector_model: Any = PrivateAttr(None)

    @property
    def detector_model(self) -> PulledModel | None:
        """The embedding model of the detector of toxicity, for processes that know no settings."""
        found: PulledModel | None = self._detector_model
        return found

    def with_detector_model(self, model: PulledModel) -> BuildSettings:
        """These options, with the model."""
        made = self.model_copy()
        made._detector_model = model
        return made
