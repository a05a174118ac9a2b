"""The one typed configuration: defaults, then ``mainspring.yaml``, then ``MAINSPRING_*`` environment variables.

Nothing else in the package reads the environment. Sections are named after the rooms, and lie in modules of that name.
Environment names join section and key with two underscores: ``MAINSPRING_GATEWAY__PORT=9000``. An unknown key or name
is an error that suggests the nearest one; ``mainspring doctor`` prints every value and where it came from.
"""

from __future__ import annotations

from mainspring.settings.answers import AnswersSettings
from mainspring.settings.auto import AutoSettings, RouteRule
from mainspring.settings.compliance import ComplianceSettings, RetentionSettings
from mainspring.settings.engines import EnginesSettings
from mainspring.settings.gateway import GatewaySettings
from mainspring.settings.guards import DetectorsSettings, GuardsSettings, NamedPolicy, PiiKind
from mainspring.settings.limits import LimitsSettings
from mainspring.settings.load import CONFIG_NAME, OTHER_NAMES, PREFIX, Loaded, describe, load
from mainspring.settings.models import ModelsSettings
from mainspring.settings.monitor import MonitorSettings
from mainspring.settings.rag import Chunking, RagSettings
from mainspring.settings.section import Section
from mainspring.settings.serving import Preset, ServingSettings
from mainspring.settings.sessions import BatchesSettings, SessionsSettings
from mainspring.settings.stores import StoresSettings
from mainspring.settings.telemetry import TelemetrySettings
from mainspring.settings.tree import Settings

__all__ = [
    "CONFIG_NAME",
    "OTHER_NAMES",
    "PREFIX",
    "AnswersSettings",
    "AutoSettings",
    "BatchesSettings",
    "Chunking",
    "ComplianceSettings",
    "DetectorsSettings",
    "EnginesSettings",
    "GatewaySettings",
    "GuardsSettings",
    "LimitsSettings",
    "Loaded",
    "ModelsSettings",
    "MonitorSettings",
    "NamedPolicy",
    "PiiKind",
    "Preset",
    "RagSettings",
    "RetentionSettings",
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
