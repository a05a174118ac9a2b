"""Settings of the rings: limits, presets, and further served names."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

import mainspring.core.settings.serving.routing as routing
from mainspring.core.settings.endpoints import REGION
from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.auto import AutoSettings
from mainspring.core.settings.serving.money import Tier
from mainspring.core.settings.serving.prompts import PromptReference
from mainspring.core.settings.serving.queueing import AdmissionSettings
from mainspring.core.settings.serving.scaling import ScaledModel


class Preset(Section):
    """Sampling parameters for a task. The model decides what is None. ``source`` says where they come from."""

    description: str = ""
    source: str = ""
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, ge=0.1, le=10)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    beams: int | None = Field(None, ge=1, le=16)

    def parameters(self) -> dict[str, float]:
        """Its values, by the names of ``types.Sampling``."""
        return self.model_dump(exclude={"description", "source"}, exclude_none=True)


EXPECTED_OUTPUT = 512
Region = Annotated[str, Field(pattern=REGION, min_length=1)]


class ServingSettings(Section):
    """Limits of one API key and the policies of the rings. ``default_presets`` maps models and applications to the name
    of a preset. ``scaled`` maps further names to a model with a scaling plan. ``residency`` maps tenants to the regions
    that may process their requests (others: any). ``system_prompts`` maps names to the prompt that applies if a
    conversation has no system message: ``prompt:NAME@LABEL`` of the registry of the tenant ``prompts_tenant``."""

    requests_per_minute: int = Field(600, gt=0)
    tokens_per_minute: int = Field(400_000, gt=0)
    requests_per_day: int = Field(0, ge=0, description="0: no limit")
    tiers: dict[str, Tier] = Field(default_factory=dict)
    max_output_tokens: int | None = Field(
        None, gt=0, description="maximum tokens of an answer; none: limited only by the model's context window"
    )
    max_output_tokens_of: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict, description="maximum tokens per model, instead of max_output_tokens"
    )
    default_output_tokens: int | None = Field(
        None,
        gt=0,
        description="maximum tokens if a request sets none; default: the catalogue's value for the model, or its "
        "context window",
    )
    retries: int = Field(2, ge=0)
    cache_responses: bool = True
    repair_rounds: int = Field(
        2,
        ge=0,
        le=5,
        description="attempts to repair structured output of models without grammars; 0: response_format is refused",
    )
    max_samples: int = Field(16, ge=1, le=64, description="maximum answers that scaling may generate for one request")
    residency: dict[str, tuple[Region, ...]] = Field(default_factory=dict)
    scaled: dict[str, ScaledModel] = Field(default_factory=dict)
    semantic_cache: bool = Field(False, description="similar questions may share a cached answer")
    semantic_threshold: float = Field(
        0.93,
        gt=0.5,
        le=1,
        description="minimum cosine of two questions that may share an answer; `mainspring cache calibrate` finds it",
    )
    presets: dict[str, Preset] = Field(default_factory=dict)
    default_presets: dict[str, str] = Field(default_factory=dict)
    system_prompts: dict[str, PromptReference] = Field(default_factory=dict)
    prompts_tenant: str = Field("default", min_length=1, description="tenant that owns the prompts in the settings")
    auto: AutoSettings = Field(default_factory=AutoSettings)
    share_limits: bool = Field(True, description="with stores.redis: all servers share the rate limits")
    admission: AdmissionSettings = Field(default_factory=AdmissionSettings)
    balance: routing.BalanceSettings = Field(default_factory=routing.BalanceSettings)
    routes: dict[str, routing.RouteSettings] = Field(default_factory=dict)

    @property
    def unbounded_output(self) -> int:
        """The length, in tokens, that is expected at first of an answer without a bound."""
        return self.default_output_tokens or EXPECTED_OUTPUT

    def output_limit(self, model: str) -> int | None:
        """The most tokens that an answer of ``model`` may have by the settings; None: the window decides."""
        return self.max_output_tokens_of.get(model, self.max_output_tokens)
