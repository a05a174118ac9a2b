"""Turns conditions into alerts: raised when a condition holds for a while, cleared when it has not held for a while,
and reported once each, grouped by application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import mainspring.stores.sql.ids as ids
from mainspring.features.monitor.alerts.signals import Condition, Signal
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.features.monitor.store.alerts import Alert, Silence

Key = tuple[str, str, str, str]
Group = tuple[str, str]
"""(tenant, application)."""


@dataclass(slots=True)
class AlertGroup:
    """The alerts of one group about which receivers must be notified, in their current state."""

    group: Group
    alerts: list[Alert] = field(default_factory=list)


class States:
    """The open alerts, and pending conditions. ``open_alerts`` are the alerts that an earlier process left."""

    def __init__(self, settings: MonitorSettings, open_alerts: Iterable[Alert] = ()) -> None:
        self._settings = settings
        self.open: dict[Key, Alert] = {}
        # Resolved alerts whose end was not reported yet.
        self._ended: list[Alert] = []
        self._wrong_since: dict[Key, float] = {}
        self._right_since: dict[Key, float] = {}
        self._waiting_since: dict[Group, float] = {}
        for alert in open_alerts:
            if alert.state == "firing":
                self.open[alert.key] = alert
            else:
                self._ended.append(alert)

    def raised_at(self, tenant: str, rule: str, application: str) -> float | None:
        """The time since which the first alert of this rule is open: later traffic is not normal."""
        times = [
            alert.raised_at
            for alert in self.open.values()
            if (alert.tenant, alert.rule, alert.application) == (tenant, rule, application)
        ]
        return min(times, default=None)

    def step(self, conditions: Sequence[Condition], now: float) -> list[Alert]:
        """The alerts raised or cleared by the current conditions. Open alerts without a condition (there was no data)
        count as cleared."""
        changed = []
        seen = {condition.key: condition for condition in conditions}
        for key, condition in seen.items():
            if key not in self.open and condition.wrong:
                if alert := self._raise(condition, now):
                    changed.append(alert)
            elif key not in self.open:
                self._wrong_since.pop(key, None)
        for key, alert in list(self.open.items()):
            if (after := self._kept(alert, seen.get(key), now)) is not alert:
                changed.append(after)
        for key in [key for key in self._wrong_since if key not in seen]:
            del self._wrong_since[key]
        return changed

    def _raise(self, condition: Condition, now: float) -> Alert | None:
        since = self._wrong_since.setdefault(condition.key, now)
        needed = self._settings.for_s if condition.for_s is None else condition.for_s
        if now - since < needed:
            return None
        del self._wrong_since[condition.key]
        alert = Alert(
            condition.tenant,
            ids.new("alert_"),
            condition.rule,
            condition.application,
            condition.name,
            condition.severity,
            "firing",
            summary(condition),
            now,
            details(condition),
        )
        self.open[alert.key] = alert
        return alert

    def _kept(self, alert: Alert, condition: Condition | None, now: float) -> Alert:
        """The alert in its current state; the same object if nothing changed."""
        if condition is not None and not condition.right:
            self._right_since.pop(alert.key, None)
            return alert
        since = self._right_since.setdefault(alert.key, now)
        needed = self._settings.clear_s if condition is None or condition.clear_s is None else condition.clear_s
        if now - since < needed:
            return alert
        del self._right_since[alert.key], self.open[alert.key]
        ended = replace(alert, state="resolved", cleared_at=now)
        if ended.told == "firing":
            self._ended.append(ended)
        return ended

    def acknowledged(self, found: Mapping[str, tuple[str, float | None]]) -> None:
        """Some were acknowledged, as ``Alerts.acknowledged`` says."""
        for key, alert in self.open.items():
            if alert.id in found and not alert.acknowledged_by:
                by, at = found[alert.id]
                self.open[key] = replace(alert, acknowledged_by=by, acknowledged_at=at)

    def tell(self, silences: Sequence[Silence], now: float) -> list[AlertGroup]:
        """The groups about which receivers must be notified, with their alerts marked as told."""
        groups: dict[Group, list[Alert]] = {}
        for alert in [*self.open.values(), *self._ended]:
            if self._due(alert, now) and not _silenced(alert, silences, now):
                groups.setdefault((alert.tenant, alert.application), []).append(alert)
        for group in [group for group in self._waiting_since if group not in groups]:
            del self._waiting_since[group]
        told = []
        for group, waiting in sorted(groups.items()):
            since = self._waiting_since.setdefault(group, now)
            if now - since < self._settings.group_s:
                continue
            del self._waiting_since[group]
            marked = [replace(alert, told=alert.state, told_at=now) for alert in waiting]
            for alert in marked:
                if alert.state == "firing":
                    self.open[alert.key] = alert
            ended = {alert.id for alert in marked if alert.state == "resolved"}
            self._ended = [alert for alert in self._ended if alert.id not in ended]
            told.append(AlertGroup(group, marked))
        return told

    def _due(self, alert: Alert, now: float) -> bool:
        if alert.told != alert.state:
            return True
        again = self._settings.repeat_s
        # The end of an alert is reported once; while it lasts, it is reported repeatedly until it is acknowledged.
        return bool(
            alert.state == "firing" and again and not alert.acknowledged_by and now - (alert.told_at or 0) >= again
        )


def _silenced(alert: Alert, silences: Sequence[Silence], now: float) -> bool:
    # The end of an alert is never silenced: its receivers know of the alert.
    return alert.state == "firing" and any(silence.covers(alert, now) for silence in silences)


def details(condition: Condition) -> dict[str, object]:
    """The stored state of a condition with its alert."""
    return {
        "signals": [signal.plain() for signal in condition.signals],
        **({"facts": dict(condition.facts)} if condition.facts else {}),
    }


def summary(condition: Condition) -> str:
    """One sentence for people."""
    told = "; ".join(_WORDS[condition.rule](signal) for signal in condition.signals if signal.wrong)
    of = condition.application or "no application"
    return f"{of}: {condition.rule}{' ' + condition.name if condition.name else ''}: {told}"


def _compared(signal: Signal, number: Callable[[float], str]) -> str:
    usual = "" if signal.before is None else f", usually {number(signal.before)}"
    return f"{signal.name} {number(signal.value)} (limit {number(signal.limit)}{usual}) in {signal.samples} requests"


def _seconds(value: float) -> str:
    return f"{value:.3g} s"


def _dollars(value: float) -> str:
    return f"${value:.3g}"


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def _plain(value: float) -> str:
    return f"{value:.3g}"


_UNITS = {"s": _seconds, "share": _percent}
# No parts of the registry: the words of an alert, by the rule that found it.
_WORDS: Mapping[str, Callable[[Signal], str]] = {
    "latency": lambda signal: "p95 of " + _compared(signal, _seconds),
    "errors": lambda signal: _compared(signal, _percent),
    "cost": lambda signal: _compared(signal, _dollars if signal.unit == "usd" else _plain),
    "quality": lambda signal: _compared(signal, _percent),
    "safety": lambda signal: _compared(signal, _plain if signal.name == "leaks" else _percent),
    "drift": lambda signal: _compared(signal, _plain),
    "slo": lambda signal: _compared(signal, lambda value: f"{value:.3g}x"),
    "lake": lambda signal: _compared(signal, _UNITS.get(signal.unit, _plain)).replace("requests", "rows"),
}
