"""``mainspring alerts`` and ``mainspring slos``: the state of a running server's monitor."""

from __future__ import annotations

import time
import urllib.parse
from typing import Annotated, Any

import typer

from mainspring.command import WATCH, Command
from mainspring.core.errors import InvalidRequest
from mainspring.features.monitor import telemetry_cmd
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Show, acknowledge and silence alerts of a running server.", invoke_without_command=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Rule = Annotated[str, typer.Option(help="latency, errors, cost, quality, safety, drift or slo; empty: any")]
Application = Annotated[str, typer.Option(help="The name in requests' `model`; empty: any")]
UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


@app.callback()
def alerts(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Include resolved alerts")] = False,
    rule: Rule = "",
    as_json: AsJson = False,
) -> None:
    """List the alerts that are firing."""
    if context.invoked_subcommand is not None:
        return
    asked = {"limit": "100"} | ({} if everything else {"state": "firing"}) | ({"rule": rule} if rule else {})
    found = Server.of(context).call("GET", f"/v1/alerts?{urllib.parse.urlencode(asked)}")["data"]
    if as_json:
        show.as_json(found)
    elif found:
        show.table(("ID", "STATE", "SEVERITY", "SINCE", "", "WHAT"), [_row(each) for each in found])
    else:
        print("No alert is firing." if not everything else "There were no alerts.")


@app.command()
def acknowledge(
    context: typer.Context,
    alert_id: Annotated[str, typer.Argument(help="The alert's id")],
    as_json: AsJson = False,
) -> None:
    """Acknowledge an alert: from now on, only its end is reported."""
    found = Server.of(context).call("POST", f"/v1/alerts/{urllib.parse.quote(alert_id, safe='')}/acknowledge")
    show.done(f"{alert_id} is acknowledged by {found['acknowledged_by']}.", found, as_json)


@app.command()
def silence(
    context: typer.Context,
    lasting: Annotated[str, typer.Argument(help="How long: 30m, 2h, 7d")],
    rule: Rule = "",
    application: Application = "",
    comment: Annotated[str, typer.Option(help="The reason")] = "",
    as_json: AsJson = False,
) -> None:
    """Silence such alerts for a time."""
    body = {"seconds": _seconds(lasting), "rule": rule, "application": application, "comment": comment}
    made = Server.of(context).call("POST", "/v1/silences", body)
    if as_json:
        show.as_json(made)
    else:
        print(f"{made['id']} lasts until {_stamp(made['until'])}.")


@app.command()
def silences(context: typer.Context, as_json: AsJson = False) -> None:
    """List the current silences."""
    found = Server.of(context).call("GET", "/v1/silences")["data"]
    if as_json:
        show.as_json(found)
    elif found:
        rows = [
            (each["id"], each["rule"] or "any", each["application"] or "any", _stamp(each["until"]), each["comment"])
            for each in found
        ]
        show.table(("ID", "RULE", "APPLICATION", "UNTIL", "WHY"), rows)
    else:
        print("Nothing is silenced.")


@app.command()
def speak(context: typer.Context, silence_id: Annotated[str, typer.Argument(help="The silence's id")]) -> None:
    """End a silence."""
    Server.of(context).call("DELETE", f"/v1/silences/{urllib.parse.quote(silence_id, safe='')}")
    print(f"{silence_id} is over.")


def slos(context: typer.Context, application: Application = "", as_json: AsJson = False) -> None:
    """Show each application's objectives over thirty days, and the rest of their error budgets."""
    asked = f"?{urllib.parse.urlencode({'application': application})}" if application else ""
    found = Server.of(context).call("GET", f"/v1/slos{asked}")["data"]
    if as_json:
        show.as_json(found)
    elif found:
        rows = [
            (
                each["application"],
                each["name"],
                f"{100 * each['target']:g} %",
                "-" if each["reached"] is None else f"{100 * each['reached']:.3f} %",
                f"{each['bad']} of {each['requests']}",
                f"{100 * each['budget_left']:.1f} %",
                f"{next(iter(each['burn_rates'].values()), 0):.1f}x",
            )
            for each in found
        ]
        show.table(("APPLICATION", "OBJECTIVE", "TARGET", "REACHED", "BAD", "BUDGET LEFT", "BURNS"), rows)
    else:
        print("No traffic has been counted yet.")


def _row(alert: dict[str, Any]) -> tuple[str, ...]:
    state = "silenced" if alert["silenced"] else "acknowledged" if alert["acknowledged_by"] else ""
    return (alert["id"], alert["state"], alert["severity"], _stamp(alert["raised_at"]), state, alert["summary"])


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))


def _seconds(text: str) -> float:
    """Raises ``InvalidRequest``."""
    number, unit = text[:-1], text[-1:]
    if unit in UNITS and number.replace(".", "", 1).isdigit():
        return float(number) * UNITS[unit]
    raise InvalidRequest(f"{text!r} is not a time", remedy="Write 30m, 2h or 7d", param="lasting")


COMMANDS = (
    Command("alerts", app, WATCH),
    Command("slos", slos, WATCH),
    Command("telemetry", telemetry_cmd.app, WATCH),
)
