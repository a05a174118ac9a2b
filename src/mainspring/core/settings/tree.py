"""All sections of the configuration in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

import mainspring.core.settings.places as places
import mainspring.core.settings.serving.routing as routing
from mainspring.core.settings.compliance import ComplianceSettings
from mainspring.core.settings.engines import EnginesSettings
from mainspring.core.settings.gateway import GatewaySettings
from mainspring.core.settings.guards.policies import GuardsSettings
from mainspring.core.settings.models import ModelsSettings
from mainspring.core.settings.monitor import MonitorSettings
from mainspring.core.settings.rag import RagSettings
from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.limits import LimitsSettings
from mainspring.core.settings.serving.money import PricesSettings
from mainspring.core.settings.serving.rings import ServingSettings
from mainspring.core.settings.serving.sessions import BatchesSettings, SessionsSettings
from mainspring.core.settings.stores import StoresSettings
from mainspring.core.settings.telemetry import TelemetrySettings


class Settings(Section):
    """Everything that can be configured."""

    home: Path = Field(default_factory=places.data)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    engines: EnginesSettings = Field(default_factory=EnginesSettings)
    stores: StoresSettings = Field(default_factory=StoresSettings)
    serving: ServingSettings = Field(default_factory=ServingSettings)
    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    prices: PricesSettings = Field(default_factory=PricesSettings)
    sessions: SessionsSettings = Field(default_factory=SessionsSettings)
    batches: BatchesSettings = Field(default_factory=BatchesSettings)
    guards: GuardsSettings = Field(default_factory=GuardsSettings)
    rag: RagSettings = Field(default_factory=RagSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    compliance: ComplianceSettings = Field(default_factory=ComplianceSettings)
    monitor: MonitorSettings = Field(default_factory=MonitorSettings)
    plugins: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="a section for each plugin that has one"
    )

    @model_validator(mode="after")
    def _routes_lead_to_models(self) -> Settings:
        if problem := routing.problem(self.serving.routes, self.models.chatting):
            raise ValueError(problem)
        return self

    @property
    def local_models(self) -> tuple[str, ...]:
        """The catalogue names of everything that is configured to run here."""
        return (*self.models.local, *((self.models.layout,) if self.rag.parser == "layout-model" else ()))
