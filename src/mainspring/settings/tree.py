"""All sections of the configuration in one."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

import mainspring.settings.places as places
import mainspring.settings.routing as routing
from mainspring.settings.compliance import ComplianceSettings
from mainspring.settings.engines import EnginesSettings
from mainspring.settings.gateway import GatewaySettings
from mainspring.settings.guards import GuardsSettings
from mainspring.settings.limits import LimitsSettings
from mainspring.settings.models import ModelsSettings
from mainspring.settings.money import PricesSettings
from mainspring.settings.monitor import MonitorSettings
from mainspring.settings.rag import RagSettings
from mainspring.settings.section import Section
from mainspring.settings.serving import ServingSettings
from mainspring.settings.sessions import BatchesSettings, SessionsSettings
from mainspring.settings.stores import StoresSettings
from mainspring.settings.telemetry import TelemetrySettings


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

    @model_validator(mode="after")
    def _routes_lead_to_models(self) -> Settings:
        if problem := routing.problem(self.serving.routes, self.models.chatting):
            raise ValueError(problem)
        return self

    @property
    def local_models(self) -> tuple[str, ...]:
        """The catalogue names of everything that is configured to run here."""
        return (*self.models.local, *((self.models.layout,) if self.rag.parser == "layout-model" else ()))
