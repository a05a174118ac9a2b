"""The host of a plugin: settings, the event log and a registry for metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from mainspring.core import plugins
from mainspring.core.settings import Settings
from mainspring.stores.events.log import EventLog

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class PluginHost:
    """``events`` is the log that every fact is written to; instruments of ``prometheus_client`` that are made with
    ``registry=host.metrics`` are on the page that ``/metrics`` shows."""

    settings: Settings
    events: EventLog
    metrics: CollectorRegistry

    def section(self, name: str, model: type[M]) -> M:
        """The settings ``plugins.NAME`` as ``model``. Raises ``SettingsError``."""
        return plugins.section(self.settings.plugins, name, model)
