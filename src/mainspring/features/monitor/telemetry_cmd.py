"""``mainspring telemetry``: files for Prometheus and Grafana, made of the settings in force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core import private_files
from mainspring.core.errors import Conflict

if TYPE_CHECKING:
    from mainspring.features.monitor.settings import MonitorSettings

app = typer.Typer(help="Rules, alerts and a dashboard for Prometheus and Grafana.", no_args_is_help=True)

Out = Annotated[Path | None, typer.Option("--out", help="File to be written", show_default="standard output")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what exists")]


@app.command()
def rules(context: typer.Context, out: Out = None, force: Force = False) -> None:
    """Recording rules for Prometheus."""
    from mainspring.features.monitor.rules import recording

    _write(_yaml(recording(_settings(context))), out, force)


@app.command()
def alerts(context: typer.Context, out: Out = None, force: Force = False) -> None:
    """Alerts for Prometheus. They read what the recording rules make."""
    from mainspring.features.monitor.rules import alerts

    _write(_yaml(alerts(_settings(context))), out, force)


@app.command()
def dashboard(context: typer.Context, out: Out = None, force: Force = False) -> None:
    """A dashboard to be imported into Grafana. It reads what the recording rules make."""
    from mainspring.features.monitor.rules import dashboard

    _write(_json(dashboard(_settings(context))), out, force)


@app.command()
def write(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the files go; it is made")],
    force: Force = False,
) -> None:
    """Write recording.yml, alerts.yml, dashboard.json, a prometheus.yml that uses them and, if `gateway.metrics_key` is
    set, metrics.key."""
    from mainspring.core.settings import load
    from mainspring.features.monitor import rules

    gateway, monitor = load(context.obj).settings.gateway, _settings(context)
    key_file = "metrics.key" if gateway.metrics_key else ""
    scraping = rules.prometheus(f"{gateway.host}:{gateway.port}", secure=gateway.secure, key_file=key_file)
    made = {
        "recording.yml": _yaml(rules.recording(monitor)),
        "alerts.yml": _yaml(rules.alerts(monitor)),
        "dashboard.json": _json(rules.dashboard(monitor)),
        "prometheus.yml": _yaml(scraping),
    }
    if key_file:
        made[key_file] = gateway.metrics_key
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        _write(text, folder / name, force, secret=name == key_file)
        print(folder / name)


def _settings(context: typer.Context) -> MonitorSettings:
    from mainspring.core.settings import load
    from mainspring.features.monitor.settings import MonitorSettings

    return load(context.obj).settings.section(MonitorSettings)


def _yaml(content: Any) -> str:
    import yaml

    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000))


def _json(content: Any) -> str:
    return json.dumps(content, indent=2) + "\n"


def _write(text: str, out: Path | None, force: bool, *, secret: bool = False) -> None:
    if out is None:
        print(text, end="")
        return
    if out.exists() and not force:
        raise Conflict(f"{out} exists", remedy="Give another name, or --force")
    if secret:
        private_files.file(out)
    out.write_text(text, encoding="utf-8")
