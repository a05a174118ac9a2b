"""Settings of the guards."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from mainspring.core.settings.guards.answers import AnswersSettings
from mainspring.core.settings.guards.ingest import IngestSettings
from mainspring.core.settings.guards.limits import LanguageLimits, LengthLimits, OnInput, TopicLimits
from mainspring.core.settings.guards.tools import ToolsSettings
from mainspring.core.settings.guards.untrusted import UntrustedSettings
from mainspring.core.settings.section import Section

PiiKind = Literal["canary", "secret", "iban", "credit_card", "ssn", "ip", "email", "phone"]
"""Kinds of personal data and credentials; of two found at the same place the earlier one here counts."""
OnOutput = Literal["off", "flag", "redact"]
OnPersonal = Literal["off", "redact", "tokenise", "refuse"]
Chance = Field(None, gt=0, lt=1, description="probability from which a text counts; none: the fitted threshold")


def _all_kinds(value: Any) -> Any:
    return get_args(PiiKind) if value == "all" else value


class DetectorsSettings(Section):
    """Actions for findings of the fitted detectors: ``injection`` and ``toxicity`` in messages of users and tools,
    ``indirect`` (instructions) in passages for a model, where ``drop`` removes the passage. Turns that are read
    together (``untrusted.turns``) are ``injection`` from ``conversation_above``."""

    injection: OnInput = "off"
    toxicity: OnInput = "off"
    indirect: Literal["off", "flag", "drop"] = "off"
    injection_above: float | None = Chance
    toxicity_above: float | None = Chance
    indirect_above: float | None = Chance
    conversation_above: float | None = Chance


class NamedPolicy(Section):
    """A policy for some applications (models, routes, collections, by the name that callers use). Fields that it omits
    take the value of the section ``guards``. In a ``dry_run``, decisions are recorded but nothing is refused, replaced
    or removed."""

    applications: tuple[str, ...] = Field(min_length=1)
    injection: OnInput | None = None
    injection_above: float | None = Chance
    harm: OnInput | None = None
    pii_input: OnPersonal | None = None
    pii_output: Literal["off", "redact"] | None = None
    pii_output_kinds: tuple[PiiKind, ...] | None = None
    prompt_leak: OnOutput | None = None
    canary: bool | None = None
    links: OnOutput | None = None
    allowed_hosts: tuple[str, ...] | None = None
    detectors: DetectorsSettings | None = None
    answers: AnswersSettings | None = None
    length: LengthLimits | None = None
    languages: LanguageLimits | None = None
    topics: TopicLimits | None = None
    rules: str | None = None
    tools: ToolsSettings | None = None
    untrusted: UntrustedSettings | None = None
    plugins: dict[str, OnInput] | None = None
    dry_run: bool | None = None

    _kinds = field_validator("pii_output_kinds", mode="before")(_all_kinds)


class GuardsSettings(Section):
    """The guards' actions.

    ``injection`` is about attempts to take the model over, found by rules and by their words; ``harm`` about requests
    for help with violence, weapons, crime and self-harm, and threats, found by rules. In tool results both are flagged
    at most; ``tools.results`` sets what happens to results. ``pii_output_kinds`` are the kinds redacted in answers: a
    list, or ``all``. Without ``ip``, ``email`` and ``phone``, which documents rightly hold, ordinary words of a stream
    need not wait for their end. ``prompt_leak`` is about answers that repeat the system prompt, ``links`` about
    pictures and addresses in answers that could carry data to hosts other than ``allowed_hosts``. With ``canary``, a
    mark that nobody can guess precedes each system prompt.
    """

    injection: OnInput = "refuse"
    injection_above: float | None = Chance
    harm: OnInput = "refuse"
    pii_input: OnPersonal = "redact"
    pii_output: Literal["off", "redact"] = "redact"
    pii_output_kinds: tuple[PiiKind, ...] = ("canary", "secret", "iban", "credit_card", "ssn")
    spotlight: bool = True
    prompt_leak: OnOutput = "off"
    canary: bool = False
    links: OnOutput = "redact"
    allowed_hosts: tuple[str, ...] = Field((), description="allowed hosts, including their subdomains")
    detectors: DetectorsSettings = Field(default_factory=DetectorsSettings)
    answers: AnswersSettings = Field(default_factory=AnswersSettings)
    length: LengthLimits = Field(default_factory=LengthLimits)
    languages: LanguageLimits = Field(default_factory=LanguageLimits)
    topics: TopicLimits = Field(default_factory=TopicLimits)
    rules: str = Field("", description="file of rules that rewrite answers, or `default`: the package's")
    tools: ToolsSettings = Field(default_factory=ToolsSettings)
    untrusted: UntrustedSettings = Field(default_factory=UntrustedSettings)
    plugins: dict[str, OnInput] = Field(
        default_factory=dict, description="guards of plugins, each with the action for its findings"
    )
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    dry_run: bool = False
    placeholders_kept_s: float = Field(
        86_400.0, gt=0, description="seconds for which a conversation's values stay in memory, with pii_input: tokenise"
    )
    policies: dict[str, NamedPolicy] = Field(default_factory=dict)

    _kinds = field_validator("pii_output_kinds", mode="before")(_all_kinds)

    @model_validator(mode="after")
    def _one_policy_an_application(self) -> GuardsSettings:
        seen: dict[str, str] = {}
        for name, policy in self.policies.items():
            if name == "default":
                raise ValueError("policies.default is the section `guards` itself: give this one another name")
            for application in policy.applications:
                if seen.setdefault(application, name) != name:
                    raise ValueError(f"policies: {application} is in both {seen[application]} and {name}")
        return self

    def policy(self, name: str) -> GuardsSettings:
        """The section as the policy ``name`` changes it. Raises ``KeyError``."""
        own = {field: getattr(self.policies[name], field) for field in NamedPolicy.model_fields}
        detectors = own.pop("detectors")
        named = {field: value for field, value in own.items() if field != "applications" and value is not None}
        if detectors is not None:
            named["detectors"] = self.detectors.model_copy(update=detectors.model_dump(exclude_unset=True))
        answers = self.policies[name].answers
        if answers is not None:
            named["answers"] = self.answers.model_copy(update=answers.model_dump(exclude_unset=True))
        return self.model_copy(update={**named, "policies": {}})
