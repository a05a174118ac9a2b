"""``mainspring trials`` and ``mainspring outcomes``: online experiments at a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import QUALITY, Command
from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Compare the arms of a route on its traffic.", no_args_is_help=True)
outcomes = typer.Typer(help="Report outcomes of sessions, runs and answers.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The trial's name")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command("list")
def list_trials(context: typer.Context, as_json: AsJson = False) -> None:
    """List online experiments."""
    found = Server.of(context).call("GET", "/v1/trials")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No trials: `mainspring trials start` begins one.")
    else:
        rows = [(each["id"], each["definition"]["route"], each["status"], each["winner"] or "-") for each in found]
        show.table(("TRIAL", "ROUTE", "STATUS", "WINNER"), rows)


@app.command("start")
def start_trial(
    context: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(help="A YAML file: route, control, metric, guards and more")],
    as_json: AsJson = False,
) -> None:
    """Start an online experiment from a file."""
    made = Server.of(context).call("POST", f"/v1/trials/{quote(name, safe='')}", _read(file))
    show.done(f"The trial {name} runs over {made['definition']['route']}.", made, as_json)


@app.command("show")
def show_trial(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show the verdict: it is valid whenever you look."""
    found = Server.of(context).call("GET", f"/v1/trials/{quote(name, safe='')}")
    if as_json:
        show.as_json(found)
        return
    print(f"{found['verdict']}\n")
    rows = [
        (each["name"], found["weights"].get(each["name"], 0), each["units"], _rate(each), _last(each), _guards(each))
        for each in found["arms"]
    ]
    show.table(("ARM", "WEIGHT", "UNITS", "SUCCESS", "DIFFERENCE", "GUARDS"), rows)


@app.command("end")
def end_trial(
    context: typer.Context,
    name: Name,
    promote: Annotated[str, typer.Option(help="Give all traffic to this arm")] = "",
    as_json: AsJson = False,
) -> None:
    """End an online experiment."""
    made = Server.of(context).call("POST", f"/v1/trials/{quote(name, safe='')}/end", {"promote": promote})
    show.done(f"The trial {name} has ended.", made, as_json)


@app.command("delete")
def delete_trial(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Delete an online experiment; traffic is as the route says."""
    made = Server.of(context).call("DELETE", f"/v1/trials/{quote(name, safe='')}")
    show.done(f"The trial {name} is deleted.", made, as_json)


@outcomes.command("tell")
def tell_outcome(
    context: typer.Context,
    metric: Annotated[str, typer.Argument(help="Name of the metric, such as `order`")],
    value: Annotated[float, typer.Argument(help="Value, such as 1")],
    session: Annotated[str | None, typer.Option(help="For this session")] = None,
    answer: Annotated[str | None, typer.Option(help="For this answer")] = None,
    trace: Annotated[str | None, typer.Option(help="For the run with this trace")] = None,
    as_json: AsJson = False,
) -> None:
    """Report the outcome of a session, a run or an answer."""
    about = {"session_id": session, "answer_id": answer, "trace_id": trace}
    body: dict[str, Any] = {"metric": metric, "value": value}
    body |= {name: given for name, given in about.items() if given is not None}
    made = Server.of(context).call("POST", "/v1/outcomes", body)
    show.done(f"{metric} {value:g} is reported for the {made['episode']} {made['about']}.", made, as_json)


@outcomes.command("list")
def list_outcomes(
    context: typer.Context,
    about: Annotated[str, typer.Option(help="An answer's id, or a session's name")] = "",
    as_json: AsJson = False,
) -> None:
    """List the latest hundred outcomes."""
    asked = urlencode({"limit": 100, **({"about": about} if about else {})})
    found = Server.of(context).call("GET", f"/v1/outcomes?{asked}")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No outcomes.")
    else:
        rows = [(each["episode"], each["about"], each["metric"], f"{each['value']:g}") for each in found]
        show.table(("EPISODE", "ABOUT", "METRIC", "VALUE"), rows)


def _read(file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidRequest(f"{file} cannot be read: {error}", param="file") from None


def _rate(arm: dict[str, Any]) -> str:
    return "-" if arm["rate"] is None else f"{arm['rate']:.4f}"


def _last(arm: dict[str, Any]) -> str:
    if not arm["sequence"]:
        return "-"
    last = arm["sequence"][-1]
    return f"{last['value']:+.4f} [{last['low']:+.4f}, {last['high']:+.4f}]"


def _guards(arm: dict[str, Any]) -> str:
    return ", ".join(f"{each['metric']}: {each['state']}" for each in arm["guards"]) or "-"


COMMANDS = (Command("trials", app, QUALITY), Command("outcomes", outcomes, QUALITY))
