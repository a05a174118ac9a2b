"""Rules, alerts and dashboard: made from the settings, accepted by promtool, and about existing metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainspring.features.monitor import rules
from mainspring.features.monitor.metrics import MonitorMetrics
from mainspring.features.monitor.settings import RULES, MonitorSettings
from mainspring.telemetry.metrics import Metrics
from tests.cli.command import Command
from tests.conftest import ROOT, Server

SETTINGS = MonitorSettings()
RECORDING, ALERTS = rules.recording(SETTINGS), rules.alerts(SETTINGS)
NAMED = [rule["alert"] for rule in ALERTS["groups"][0]["rules"]]

# What is seen when an alert is to be raised, and when it is not: (series, values, minute at which is looked). One
# minute lies between two values; ``a+bxn`` is a and n more, each b greater than the one before.
OK = 'mainspring_requests_total{operation="chat",model="m",code="ok"}'
DIED = 'mainspring_requests_total{operation="chat",model="m",code="engine_died"}'
LATE = 'mainspring_requests_total{operation="chat",model="m",code="deadline_exceeded"}'
TRIED = 'mainspring_guard_findings_total{guard="jailbreak_detector",action="refuse",kind="jailbreak"}'
LEFT_OUT = 'mainspring_guard_findings_total{guard="passage_rules",action="drop",kind="override"}'
NAMED_SOMEBODY = 'mainspring_guard_findings_total{guard="pii_input",action="redact",kind="email"}'
JUDGED = '{application="handbook",metric="faithfulness"}'
BAD = 'mainspring_requests_total{operation="chat",model="m",code="invalid_request"}'
REFUSED = 'mainspring_requests_total{operation="chat",model="m",code="content_refused"}'
CALLS = 'mainspring_model_calls_total{model="m",code="ok"}'
RETRIES = 'mainspring_retries_total{model="m"}'
DAY = 1440
WRONG = {"exp_labels": {"no": "such"}}
"""An alert that is never raised: promtool then tells what it got."""
Case = tuple[dict[str, str], int]


def slow(name: str, labels: str, below: str, above: str, share: int) -> dict[str, str]:
    """A histogram in which ``share`` of a hundred lie between the bounds ``below`` and ``above``."""
    return {
        f'{name}_bucket{{{labels},le="{below}"}}': f"0+{100 - share}x60",
        f'{name}_bucket{{{labels},le="{above}"}}': "0+100x60",
        f'{name}_bucket{{{labels},le="+Inf"}}': "0+100x60",
    }


CHAT = 'operation="chat",model="m"'
CASES: dict[str, tuple[Case, Case]] = {
    "MainspringLatency": (
        (slow("mainspring_request_seconds", CHAT, "10.0", "30.0", 5), 30),
        (slow("mainspring_request_seconds", CHAT, "5.0", "10.0", 5), 30),
    ),
    "MainspringFirstToken": (
        (slow("mainspring_ttft_seconds", 'model="m"', "2.5", "5.0", 10), 30),
        (slow("mainspring_ttft_seconds", 'model="m"', "0.5", "0.75", 10), 30),
    ),
    "MainspringQueue": (
        (slow("mainspring_queue_seconds", 'model="m",priority="interactive"', "2.5", "5.0", 10), 30),
        (slow("mainspring_queue_seconds", 'model="m",priority="interactive"', "0.5", "1.0", 10), 30),
    ),
    "MainspringErrors": (({OK: "0+90x60", DIED: "0+10x60"}, 30), ({OK: "0+90x60", DIED: "0+2x60", BAD: "0+50x60"}, 30)),
    "MainspringEngineDown": (
        ({'mainspring_engine_up{engine="m"}': "1x10 0x10"}, 15),
        ({'mainspring_engine_up{engine="m"}': "1x30"}, 15),
    ),
    "MainspringEngineRestarts": (
        ({'mainspring_engine_restarts{engine="m"}': "0 1 2 3 4x20"}, 12),
        ({'mainspring_engine_restarts{engine="m"}': "0 1x20"}, 12),
    ),
    "MainspringRetries": (
        ({CALLS: "0+100x60", RETRIES: "0+9x60"}, 30),
        ({CALLS: "0+100x60", RETRIES: "0+2x60"}, 30),
    ),
    "MainspringTimeouts": (({OK: "0+90x60", LATE: "0+1x60"}, 30), ({OK: "0+90x60", DIED: "0+1x60"}, 30)),
    "MainspringErrorBudgetFast": (({OK: "0+90x120", DIED: "0+10x120"}, 90), ({OK: "0+96x120", DIED: "0+4x120"}, 90)),
    "MainspringErrorBudgetSlow": (({OK: "0+96x500", DIED: "0+4x500"}, 400), ({OK: "0+98x500", DIED: "0+2x500"}, 400)),
    "MainspringCostAnomaly": (
        ({'mainspring_cost_usd_total{model="m"}': f"0+0.01x{DAY} 14.4+0.03x120"}, DAY + 100),
        ({'mainspring_cost_usd_total{model="m"}': f"0+0.01x{DAY} 14.4+0.015x120"}, DAY + 100),
    ),
    "MainspringCostPerRequest": (
        (
            {
                'mainspring_request_cost_usd_sum{application="m"}': f"0+0.01x{DAY} 14.4+0.02x120",
                'mainspring_request_cost_usd_count{application="m"}': f"0+10x{DAY + 121}",
                'mainspring_cost_usd_total{model="m"}': f"0+0.01x{DAY} 14.4+0.02x120",
            },
            DAY + 100,
        ),
        (
            {
                'mainspring_request_cost_usd_sum{application="m"}': f"0+0.01x{DAY} 14.4+0.02x120",
                'mainspring_request_cost_usd_count{application="m"}': f"0+10x{DAY} 14400+20x120",
                'mainspring_cost_usd_total{model="m"}': f"0+0.01x{DAY} 14.4+0.02x120",
            },
            DAY + 100,
        ),
    ),
    "MainspringQuality": (
        (
            {
                'mainspring_feedback_total{rating="up"}': f"0+9x{DAY} 12960+5x120",
                'mainspring_feedback_total{rating="down"}': f"0+1x{DAY} 1440+5x120",
            },
            DAY + 100,
        ),
        (
            {
                'mainspring_feedback_total{rating="up"}': f"0+9x{DAY + 121}",
                'mainspring_feedback_total{rating="down"}': f"0+1x{DAY + 121}",
            },
            DAY + 100,
        ),
    ),
    "MainspringUnsupported": (
        (
            {
                'mainspring_sentences_total{outcome="supported"}': f"0+9x{DAY} 12960+5x120",
                'mainspring_sentences_total{outcome="unsupported"}': f"0+1x{DAY} 1440+5x120",
            },
            DAY + 100,
        ),
        (
            {
                'mainspring_sentences_total{outcome="supported"}': f"0+9x{DAY + 121}",
                'mainspring_sentences_total{outcome="unsupported"}': f"0+1x{DAY + 121}",
            },
            DAY + 100,
        ),
    ),
    "MainspringScores": (
        (
            {
                f"mainspring_scores_sum{JUDGED}": f"0+4x{DAY} 5760+3x120",
                f"mainspring_scores_count{JUDGED}": f"0+5x{DAY + 121}",
            },
            DAY + 100,
        ),
        (
            {
                f"mainspring_scores_sum{JUDGED}": f"0+4x{DAY} 5760+3.8x120",
                f"mainspring_scores_count{JUDGED}": f"0+5x{DAY + 121}",
            },
            DAY + 100,
        ),
    ),
    "MainspringLeak": (
        ({'mainspring_leaks_stopped_total{kind="canary"}': "0x10 1x10"}, 12),
        ({'mainspring_leaks_stopped_total{kind="canary"}': "4x30"}, 12),
    ),
    "MainspringRefusals": (
        ({OK: f"0+90x{DAY} 129600+50x60", REFUSED: f"0+1x{DAY} 1440+50x60"}, DAY + 30),
        ({OK: f"0+90x{DAY + 61}", REFUSED: f"0+3x{DAY + 61}"}, DAY + 30),
    ),
    "MainspringAttacks": (
        ({TRIED: f"0+1x{DAY} 1440+4x120", LEFT_OUT: f"0+1x{DAY} 1440+4x120"}, DAY + 100),
        ({TRIED: f"0+1x{DAY} 1440+2x120", NAMED_SOMEBODY: f"0+1x{DAY} 1440+90x120"}, DAY + 100),
    ),
    "MainspringSpansLost": (
        ({"mainspring_spans_lost_total": "0+10x60"}, 50),
        ({"mainspring_spans_lost_total": "7x60"}, 50),
    ),
}  # fmt: skip


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: apt-get install --no-install-recommends prometheus")
    return found


@pytest.fixture
def written(tmp_path: Path) -> Path:
    for name, content in (("recording.yml", RECORDING), ("alerts.yml", ALERTS)):
        (tmp_path / name).write_text(yaml.safe_dump(content, width=10_000), encoding="utf-8")
    return tmp_path


def run(promtool: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run([promtool, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules(promtool: str, written: Path) -> None:
    said = run(promtool, written, "check", "rules", "recording.yml", "alerts.yml")
    assert f"{len(NAMED)} rules found" in said


def test_each_alert_has_a_case() -> None:
    assert set(CASES) == set(NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_an_alert_is_raised_and_is_not(promtool: str, written: Path, name: str) -> None:
    wanted, quiet = CASES[name]
    firing = _tried(promtool, written, name, wanted)
    assert len(firing) == 1, firing
    assert _tried(promtool, written, name, quiet) == []
    assert firing[0]["labels"]["alertname"] == name
    assert "<error" not in firing[0]["annotations"]["summary"], "its template can be filled"


def _read_for(name: str) -> set[str]:
    """The alert with the recorded series that it reads, directly or by others: a day of all rules takes seconds."""
    rules_of = {
        rule.get("alert", rule.get("record")): rule["expr"]
        for file in (RECORDING, ALERTS)
        for rule in file["groups"][0]["rules"]
    }
    found, new = {name}, {name}
    while new:
        new = {each for one in new for each in re.findall(r"mainspring:[a-z0-9_:]+", rules_of[one])} - found
        found |= new
    return found


def _tried(promtool: str, folder: Path, name: str, case: Case) -> list[dict[str, Any]]:
    """The alerts of that name that are raised: promtool compares, and tells what it got."""
    series, minute = case
    for file, content in (("recording", RECORDING), ("alerts", ALERTS)):
        (group,) = content["groups"]
        own = [rule for rule in group["rules"] if rule.get("alert", rule.get("record")) in _read_for(name)]
        only = {"groups": [{**group, "rules": own}]}
        (folder / f"own-{file}.yml").write_text(yaml.safe_dump(only, width=10_000), encoding="utf-8")
    test = {
        "rule_files": ["own-recording.yml", "own-alerts.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": each, "values": values} for each, values in series.items()],
                "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": [WRONG]}],
            }
        ],
    }  # fmt: skip
    (folder / "test.yml").write_text(yaml.safe_dump(test, width=10_000), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    said = done.stdout + done.stderr
    got = said.partition("got:")[2]
    assert "exp:" in said, said
    found = re.findall(r"Labels:(\{.*?\})\s+Annotations:(\{.*?\})(?:\n|\s*\])", got, re.S)
    return [{"labels": _labels(labels), "annotations": _labels(notes)} for labels, notes in found]


def _labels(text: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text))


def test_thresholds_are_those_of_the_servers_own_alerts() -> None:
    stricter = MonitorSettings.model_validate(
        {"errors": {"share": 0.02}, "latency": {"total_s": 3}, "runbooks": "https://x/r"}
    )
    found = {rule["alert"]: rule for rule in rules.alerts(stricter)["groups"][0]["rules"]}
    assert found["MainspringErrors"]["expr"].endswith("> 0.02")
    assert found["MainspringLatency"]["expr"].endswith("> 3")
    assert found["MainspringErrors"]["annotations"]["runbook_url"] == "https://x/r#errors"
    assert "${" not in json.dumps([rules.alerts(stricter), rules.recording(stricter)])


def test_each_alert_has_its_section_in_the_runbooks() -> None:
    sections = {rule["annotations"]["runbook_url"].partition("#")[2] for rule in ALERTS["groups"][0]["rules"]}
    assert sections <= set(RULES), "those of the server's own alerts"
    page = ROOT / SETTINGS.runbooks
    if page.exists():
        headings = re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.M)
        assert sections <= {heading.lower().replace(" ", "-") for heading in headings}


def expressions() -> list[str]:
    board = rules.dashboard(SETTINGS)
    shown = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    ruled = [rule["expr"] for file in (RECORDING, ALERTS) for rule in file["groups"][0]["rules"]]
    return [*shown, *ruled]


def test_recorded_series_that_are_read_are_recorded() -> None:
    recorded = {rule["record"] for rule in RECORDING["groups"][0]["rules"]}
    read = {name for each in expressions() for name in re.findall(r"mainspring:[a-z0-9_:]+", each)}
    assert read <= recorded
    assert recorded <= read, "what nobody reads is not recorded"


def test_metrics_that_are_read_are_on_the_page_of_a_server(server: Server) -> None:
    page = server.raw("GET", "/metrics")[2].decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.M))
    parts = {
        f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram" for part in ("bucket", "sum", "count")
    }
    read = {name for each in expressions() for name in re.findall(r"mainspring_\w+", each)}
    assert read - set(kinds) - parts == set()
    assert len(read) > 25


def test_labels_that_are_read_are_those_of_the_metrics() -> None:
    metrics: Any = Metrics()
    MonitorMetrics(metrics.registry)
    known: dict[str, set[str]] = {}
    for registry in (metrics.registry, metrics.of_tenants):
        for name, collector in registry._names_to_collectors.items():
            known[name] = {*getattr(collector, "_labelnames", ("model", "engine")), "le"}
    for each in expressions():
        for name, inside in re.findall(r"(mainspring_\w+)\{([^}]*)\}", each):
            assert set(re.findall(r"(\w+)=?[!=~]", inside)) <= known[name], each
        for labels, name in re.findall(r"by \(([^)]*)\) \(?(?:rate|increase)\((mainspring_\w+)", each):
            assert {label.strip() for label in labels.split(",")} <= known[name], each


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    board = rules.dashboard(SETTINGS)
    assert [panel["title"] for panel in board["panels"] if panel["type"] == "row"] == [
        "Quality", "Performance", "Cost", "Reliability", "Safety",
    ]  # fmt: skip
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places, "panels lie beside each other"
        places |= cells
    assert board["templating"]["list"][0]["type"] == "datasource"


def test_the_files_are_written_and_not_over_others(tmp_path: Path, promtool: str) -> None:
    folder = tmp_path / "prometheus"
    done = Command(tmp_path)("telemetry", "write", str(folder))
    assert done.returncode == 0, done.stderr
    run(promtool, folder, "check", "config", "prometheus.yml")
    assert json.loads((folder / "dashboard.json").read_text())["title"] == "mainspring"
    again = Command(tmp_path)("telemetry", "write", str(folder))
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert yaml.safe_load(Command(tmp_path)("telemetry", "alerts").stdout) == ALERTS


def test_who_scrapes_brings_the_key_over_tls(tmp_path: Path, promtool: str) -> None:
    folder = tmp_path / "prometheus"
    for name in ("here.pem", "here.key"):
        (tmp_path / name).write_text("looked at when the server starts")
    given = {"metrics_key": "env:SCRAPE", "tls": {"certificate": "here.pem", "key": "here.key"}}
    (tmp_path / "mainspring.yaml").write_text(yaml.safe_dump({"gateway": given}))
    done = Command(tmp_path)("telemetry", "write", str(folder), SCRAPE="scrape-4711")
    assert done.returncode == 0, done.stderr
    run(promtool, folder, "check", "config", "prometheus.yml")
    scraped = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["scheme"] == "https"
    key = folder / scraped["authorization"]["credentials_file"]
    assert key.read_text() == "scrape-4711"
    assert key.stat().st_mode & 0o077 == 0
    assert "scrape-4711" not in (folder / "prometheus.yml").read_text()


def test_codes_that_are_looked_for_are_those_of_errors() -> None:
    known = {*rules.statuses(), "ok", "cancelled"}
    read = {
        code for each in expressions() for found in re.findall(r'code!?=~?"([^"]*)"', each) for code in found.split("|")
    }
    assert read <= known
    assert {"content_refused", "deadline_exceeded", "engine_died"} <= read
