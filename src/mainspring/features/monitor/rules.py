"""Recording rules, alerts and a dashboard for Prometheus and Grafana, made from one definition and the settings.

``definition.yaml`` beside this module is the definition. Its thresholds are those of ``monitor``, which the server uses
for its own alerts, so both agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from mainspring.core import yaml_files
from mainspring.core.errors import MainspringError
from mainspring.features.monitor.settings import MonitorSettings

NAME = "mainspring"
# The maximum duration of a request if the settings set no limit.
_TOTAL_S, _TTFT_S = 10.0, 2.0
_WIDTH, _HEIGHT, _ACROSS = 8, 7, 3


def recording(settings: MonitorSettings) -> dict[str, Any]:
    """The file of recording rules."""
    rules = [{"record": each["record"], "expr": each["expr"]} for each in _definition(settings)["recording"]]
    return {"groups": [{"name": NAME, "interval": "30s", "rules": rules}]}


def alerts(settings: MonitorSettings) -> dict[str, Any]:
    """The file of alerts."""
    rules = [
        {
            "alert": each["alert"],
            "expr": each["expr"],
            "for": each["for"],
            "labels": {"severity": each["severity"], "service": NAME},
            "annotations": {
                "summary": each["summary"],
                "runbook_url": f"{settings.runbooks}#{each['runbook']}",
            },
        }
        for each in _definition(settings)["alerts"]
    ]
    return {"groups": [{"name": f"{NAME}-alerts", "rules": rules}]}


def dashboard(settings: MonitorSettings) -> dict[str, Any]:
    """The dashboard as Grafana imports it: a row for each of the five dimensions, and the data source to be chosen."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in _definition(settings)["rows"]:
        panels.append(_placed({"type": "row", "title": row["title"], "collapsed": False}, panels, 0, top, 24, 1))
        top += 1
        for number, panel in enumerate(row["panels"]):
            line, place = divmod(number, _ACROSS)
            at = (place * _WIDTH, top + line * _HEIGHT)
            panels.append(_placed(_graph(panel), panels, *at, _WIDTH, _HEIGHT))
        top += -(-len(row["panels"]) // _ACROSS) * _HEIGHT
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": NAME,
        "title": NAME,
        "tags": [NAME],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }


def prometheus(target: str, *, secure: bool = False, key_file: str = "") -> dict[str, Any]:
    """A configuration of Prometheus that reads both files and scrapes ``target`` (host:port).

    Scrapes over TLS if ``secure``, with the key in ``key_file`` (beside the configuration) if there is one.
    """
    scraped: dict[str, Any] = {"job_name": NAME, "static_configs": [{"targets": [target]}]}
    if secure:
        scraped["scheme"] = "https"
    if key_file:
        scraped["authorization"] = {"type": "Bearer", "credentials_file": key_file}
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "30s"},
        "rule_files": ["recording.yml", "alerts.yml"],
        "scrape_configs": [scraped],
    }


def values(settings: MonitorSettings) -> dict[str, str]:
    """The values for the names in the definition."""
    targets = [each.target for each in settings.slos.values() if each.kind == "availability"]
    return {
        "failures": "|".join(sorted(code for code, status in statuses().items() if status >= 500)),
        "total_s": f"{settings.latency.total_s or _TOTAL_S:g}",
        "ttft_s": f"{settings.latency.ttft_s or _TTFT_S:g}",
        "error_share": f"{settings.errors.share:g}",
        "error_budget": f"{1 - max(targets, default=0.995):.6g}",
        "cost_ratio": f"{settings.cost.ratio:g}",
        "cost_least_usd": f"{settings.cost.least_usd:g}",
        "quality_less": f"{settings.quality.less:g}",
        "quality_more": f"{settings.quality.more:g}",
        "safety_more": f"{settings.safety.more:g}",
        "leaks": f"{settings.safety.leaks}",
    }


@cache
def statuses() -> Mapping[str, int]:
    """The HTTP status of each error's code."""
    found: dict[str, int] = {}
    waiting: list[type[MainspringError]] = [MainspringError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind.status)
        waiting += kind.__subclasses__()
    return found


def _definition(settings: MonitorSettings) -> dict[str, Any]:
    filled = values(settings)

    def fill(part: Any) -> Any:
        if isinstance(part, str):
            # ``$labels`` and ``$value`` are Prometheus's own.
            return re.sub(r"\$\{([a-z_]+)\}", lambda match: filled[match[1]], part)
        if isinstance(part, Mapping):
            return {name: fill(each) for name, each in part.items()}
        return [fill(each) for each in part]

    text = files("mainspring.features.monitor").joinpath("definition.yaml").read_text(encoding="utf-8")
    made: dict[str, Any] = fill(yaml_files.load(text))
    return made


def _graph(panel: Mapping[str, str]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "type": "timeseries",
        "title": panel["title"],
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": panel["unit"], "min": 0}, "overrides": []},
        "targets": [
            {"refId": "A", "expr": panel["expr"], "legendFormat": panel["legend"], "datasource": source},
        ],
    }


def _placed(
    panel: dict[str, Any], before: list[dict[str, Any]], x: int, y: int, width: int, height: int
) -> dict[str, Any]:
    return {"id": len(before) + 1, **panel, "gridPos": {"x": x, "y": y, "w": width, "h": height}}
