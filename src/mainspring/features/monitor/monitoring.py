"""Watches the traffic: counts it, raises alerts and notifies people, looks for drift, judges a share of the answers,
keeps the budgets of objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mainspring.core.errors import SettingsError
from mainspring.core.settings import Settings
from mainspring.engines import Engines
from mainspring.evaluation import realtime
from mainspring.features.monitor.judging.judges import JUDGING, ByEmbeddings, ByModel
from mainspring.features.monitor.judging.live_judging import JudgePanel, Judging
from mainspring.features.monitor.judging.scored import WithScorers
from mainspring.features.monitor.metrics import MonitorMetrics
from mainspring.features.monitor.service import Monitor
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.rag.answer.passages import Passages
from mainspring.rag.triad.live import METRIC, metrics_of
from mainspring.serving import Path
from mainspring.stores import Stores
from mainspring.stores.events.verdicts import Verdicts
from mainspring.telemetry import Telemetry
from mainspring.telemetry.plugin_host import PluginHost

__all__ = ["Monitor", "make"]


def make(settings: Settings, stores: Stores, telemetry: Telemetry, engines: Engines, path: Path) -> Monitor:
    """The monitor over the stores. It watches within ``Monitor.watching``; questions are embedded while no engine on
    this machine has work, and answers are judged while there are no requests. Raises ``SettingsError``: no such judge
    or metric."""

    def idle() -> bool:
        replicas = (each for model in engines.chat.values() for each in model.all_replicas() if each.local)
        found = (each.engine.statistics() for each in replicas)
        return not any(gauges.get("running", 0.0) + gauges.get("waiting", 0.0) for gauges in found)

    def free() -> bool:
        return not telemetry.tracing.under_way and idle()

    metrics = MonitorMetrics(telemetry.metrics.registry)
    judging, scoring, chosen = None, None, settings.section(MonitorSettings)
    for measure in chosen.quality.floors:
        if measure not in chosen.judging.scorers:
            engines.plugins.get(METRIC, measure)
    if chosen.judging.wanted:
        # Configured names are reported by name, like served ones.
        telemetry.metrics.serve(JUDGING, *chosen.judging.applications)
        bench = _bench(settings, stores, telemetry, engines, path, free)
        if chosen.judging.scorers:
            permits = partial(path.services.residency.permits, settings.models.region)
            _apart(engines, chosen.judging.scorers)
            bench = scoring = WithScorers(bench, chosen.judging.scorers, stores.events, permits=permits)
        judging = Judging(
            chosen.judging,
            stores.events,
            Verdicts(stores.database, stores.events),
            Passages(stores.collections, stores.vectors),
            bench,
            idle=free,
            count=metrics.judged,
        )
    checked = realtime.checked(settings.guards)
    monitor = Monitor(
        chosen, stores.database, stores.jobs, engines.embedder, idle=idle, judging=judging, checked=checked
    )
    monitor.scoring = scoring
    return monitor


def _apart(engines: Engines, scorers: Mapping[str, str]) -> None:
    """Raises ``SettingsError`` for a scorer under the name of a metric: the two would be one measure."""
    if both := sorted(set(scorers) & set(engines.plugins.names(METRIC))):
        raise SettingsError(
            f"monitor.judging.scorers: {both[0]} is a metric already", remedy="Give the scorer another name"
        )


def _bench(
    settings: Settings, stores: Stores, telemetry: Telemetry, engines: Engines, path: Path, idle: Callable[[], bool]
) -> JudgePanel:
    judging = settings.section(MonitorSettings).judging
    wanted = judging.model
    host = PluginHost(settings, stores.events, telemetry.metrics.registry)
    metrics = metrics_of(engines.plugins, judging.metrics, host)
    if not wanted:
        return ByEmbeddings(
            engines.embedder,
            path.charged,
            stores.events,
            idle=idle,
            permits=partial(path.services.residency.permits, settings.models.region),
            metrics=metrics,
        )
    model = engines.chat.get(wanted)
    if model is None or not model.grounded:
        usable = [name for name, each in engines.chat.items() if each.grounded]
        why = "is not a chat model here" if model is None else "is not marked grounded: it is too weak to judge"
        raise SettingsError(
            f"monitor.judging.model: {wanted} {why}",
            remedy=f"Use {' or '.join(usable)}" if usable else "Leave it empty to judge by embeddings",
        )
    return ByModel(path.chat[wanted], wanted, engines.embedder, stores.events, path.services.purse, metrics)
