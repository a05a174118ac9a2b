"""All sections of the configuration in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, PrivateAttr, create_model, model_validator

import mainspring.core.settings.places as places
import mainspring.core.settings.serving.routing as routing
from mainspring.core import slices
from mainspring.core.errors import SettingsError
from mainspring.core.settings.audit import AuditSettings
from mainspring.core.settings.engines import EnginesSettings
from mainspring.core.settings.gateway import GatewaySettings
from mainspring.core.settings.guards.policies import GuardsSettings
from mainspring.core.settings.models import ModelsSettings
from mainspring.core.settings.rag import RagSettings, WebSearchSettings
from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.limits import LimitsSettings
from mainspring.core.settings.serving.money import PricesSettings
from mainspring.core.settings.serving.rings import ServingSettings
from mainspring.core.settings.serving.sessions import SessionsSettings
from mainspring.core.settings.stores import StoresSettings
from mainspring.core.settings.telemetry import TelemetrySettings

S = TypeVar("S", bound=Section)


class RoomSettings(Section):
    """The configuration of the rooms below the features."""

    home: Path = Field(default_factory=places.data)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    engines: EnginesSettings = Field(default_factory=EnginesSettings)
    stores: StoresSettings = Field(default_factory=StoresSettings)
    serving: ServingSettings = Field(default_factory=ServingSettings)
    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    prices: PricesSettings = Field(default_factory=PricesSettings)
    sessions: SessionsSettings = Field(default_factory=SessionsSettings)
    guards: GuardsSettings = Field(default_factory=GuardsSettings)
    rag: RagSettings = Field(default_factory=RagSettings)
    web_search: WebSearchSettings = Field(default_factory=WebSearchSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    compliance: AuditSettings = Field(default_factory=AuditSettings)
    plugins: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="a section for each plugin with settings"
    )
    _file: Path | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _routes_lead_to_models(self) -> RoomSettings:
        if problem := routing.problem(self.serving.routes, self.models.chatting):
            raise ValueError(problem)
        return self

    @property
    def file(self) -> Path | None:
        """The file that they were read from; None: there was none."""
        return self._file

    def read_from(self, file: Path | None) -> None:
        """Note the file."""
        self._file = None if file is None else file.absolute()

    @property
    def local_models(self) -> tuple[str, ...]:
        """The catalogue names of everything that is configured to run here."""
        return (*self.models.local, *((self.models.layout,) if self.rag.parser == "layout-model" else ()))

    def section(self, kind: type[S]) -> S:
        """The section of this class, which a feature declares. Raises ``SettingsError`` if none does."""
        for name in type(self).model_fields:
            found = getattr(self, name)
            if isinstance(found, kind):
                return found
        raise SettingsError(f"no feature declares {kind.__name__}", remedy="SECTIONS in its module `settings` names it")


def sections() -> dict[str, type[Section]]:
    """The sections that features declare, by their names. One may extend the section of a room, and is then a subclass
    of that. Raises ``SettingsError`` if two features have the same name."""
    found: dict[str, type[Section]] = {}
    for feature, declared in slices.declared("settings", "SECTIONS"):
        for name, kind in declared.items():
            below = RoomSettings.model_fields.get(name)
            within = below.annotation if below is not None else Section
            if name in found or not (isinstance(within, type) and issubclass(kind, within)):
                raise SettingsError(f"{feature} declares the settings {name}, which another feature owns")
            found[name] = kind
    return found


if TYPE_CHECKING:

    class Settings(RoomSettings):
        """Everything that can be configured. A feature finds its own by ``section``."""

else:
    Settings = create_model(
        "Settings",
        __base__=RoomSettings,
        __module__=__name__,
        __doc__="Everything that can be configured.",
        **{name: (kind, Field(default_factory=kind)) for name, kind in sections().items()},
    )
