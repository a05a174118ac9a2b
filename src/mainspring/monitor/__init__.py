"""Watches the traffic: counts it, raises alerts and tells people, looks for drift, keeps the budgets of objectives."""

from __future__ import annotations

from mainspring.engines import Engines
from mainspring.monitor.service import Monitor
from mainspring.settings import Settings
from mainspring.stores import Stores

__all__ = ["Monitor", "make"]


def make(settings: Settings, stores: Stores, engines: Engines) -> Monitor:
    """The monitor over the stores. It watches within ``Monitor.watching``; questions are embedded while no engine on
    this machine has work."""

    def idle() -> bool:
        replicas = (each for model in engines.chat.values() for each in model.all_replicas() if each.local)
        found = (each.engine.statistics() for each in replicas)
        return not any(gauges.get("running", 0.0) + gauges.get("waiting", 0.0) for gauges in found)

    return Monitor(settings.monitor, stores.database, stores.jobs, engines.embedder, idle=idle)
