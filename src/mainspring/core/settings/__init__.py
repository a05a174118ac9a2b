"""The one typed configuration: defaults, then ``mainspring.yaml``, then ``MAINSPRING_*`` environment variables.

Nothing else in the package reads the environment. Sections are named after the rooms and live in modules of the same
name. Environment names join section and key with two underscores: ``MAINSPRING_GATEWAY__PORT=9000``. An unknown key or
name is an error that suggests the nearest one; ``mainspring doctor`` prints every value and where it came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.core.settings.engines import EnginesSettings
from mainspring.core.settings.gateway import GatewaySettings
from mainspring.core.settings.guards.answers import AnswersSettings
from mainspring.core.settings.guards.policies import DetectorsSettings, GuardsSettings, NamedPolicy, PiiKind
from mainspring.core.settings.models import ModelsSettings
from mainspring.core.settings.rag import RagSettings
from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.auto import AutoSettings, RouteRule
from mainspring.core.settings.serving.limits import LimitsSettings
from mainspring.core.settings.serving.rings import Preset, ServingSettings
from mainspring.core.settings.serving.sessions import SessionsSettings
from mainspring.core.settings.stores import StoresSettings
from mainspring.core.settings.telemetry import TelemetrySettings

if TYPE_CHECKING:
    from mainspring.core.settings.loading import CONFIG_NAME, OTHER_NAMES, PREFIX, LoadedSettings, describe, load
    from mainspring.core.settings.tree import Settings
else:

    def __getattr__(name):
        """The settings with the sections of all features, whose modules import from this package: built on first
        access."""
        if name in __all__:
            from mainspring.core.settings import loading, tree

            for module in (loading, tree):
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CONFIG_NAME",
    "OTHER_NAMES",
    "PREFIX",
    "AnswersSettings",
    "AutoSettings",
    "DetectorsSettings",
    "EnginesSettings",
    "GatewaySettings",
    "GuardsSettings",
    "LimitsSettings",
    "LoadedSettings",
    "ModelsSettings",
    "NamedPolicy",
    "PiiKind",
    "Preset",
    "RagSettings",
    "RouteRule",
    "Section",
    "ServingSettings",
    "SessionsSettings",
    "Settings",
    "StoresSettings",
    "TelemetrySettings",
    "describe",
    "load",
]
