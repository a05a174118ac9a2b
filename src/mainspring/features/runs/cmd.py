"""``mainspring runs``: the runs of agents at a running server; watch, steer, decide, fork and replay them."""

from __future__ import annotations

import datetime
import json
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import MODELS, Command
from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="List, watch, control, fork and replay the runs of agents.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The run's id, from `mainspring runs list`")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Step = Annotated[str, typer.Argument(help="The step's id, from `mainspring runs show`")]


@app.command("list")
def list_runs(
    context: typer.Context,
    status: Annotated[str, typer.Option(help="Only runs in this state")] = "",
    agent: Annotated[str, typer.Option(help="Only this agent's")] = "",
    as_json: AsJson = False,
) -> None:
    """List the latest hundred runs."""
    asked = {"limit": "100"} | ({"status": status} if status else {}) | ({"agent": agent} if agent else {})
    found = Server.of(context).call("GET", f"/v1/agents/runs?{urlencode(asked)}")["data"]
    if as_json:
        show.as_json(found)
    elif found:
        rows = [(each["id"], each["status"], each["agent"], _time(each["created_at"])) for each in found]
        show.table(("RUN", "STATUS", "AGENT", "BEGAN"), rows)
    else:
        print("No runs: `POST /v1/agents/runs` and every question to an agent begin one.")


@app.command("show")
def show_run(context: typer.Context, run_id: Id, as_json: AsJson = False) -> None:
    """Show a run with its steps."""
    server = Server.of(context)
    found = server.call("GET", _path(run_id))
    steps = server.call("GET", f"{_path(run_id)}/steps")["data"]
    if as_json:
        show.as_json({**found, "steps": steps})
        return
    print(f"{found['id']}: {found['agent']}, {found['status']}, began {_time(found['created_at'])}")
    if found["error"]:
        print(show.printable(found["error"]["message"]))
    rows = [
        (each["number"] or "", each["id"], each["kind"], each["name"], each["effect"], each["status"], _short(each))
        for each in steps
    ]
    if rows:
        show.table(("N", "STEP", "KIND", "NAME", "EFFECT", "STATUS", "OUTCOME"), rows)
    if found["output_text"]:
        print(show.written(found["output_text"]))


@app.command()
def resume(context: typer.Context, run_id: Id, as_json: AsJson = False) -> None:
    """Resume a run that is paused, was interrupted or has failed."""
    _steer(context, run_id, "resume", as_json)


@app.command()
def pause(context: typer.Context, run_id: Id, as_json: AsJson = False) -> None:
    """Pause a run before its next step."""
    _steer(context, run_id, "pause", as_json)


@app.command()
def cancel(context: typer.Context, run_id: Id, as_json: AsJson = False) -> None:
    """Cancel a run for good."""
    _steer(context, run_id, "cancel", as_json)


@app.command()
def delete(context: typer.Context, run_id: Id, as_json: AsJson = False) -> None:
    """Delete a run that stands still, with all its steps."""
    found = Server.of(context).call("DELETE", _path(run_id))
    show.done(f"{run_id} is deleted.", found, as_json)


@app.command()
def decide(
    context: typer.Context,
    run_id: Id,
    step: Step,
    happened: Annotated[bool, typer.Option("--happened", help="The call had its effect")] = False,
    not_happened: Annotated[bool, typer.Option("--not-happened", help="It had no effect: call again")] = False,
    give_up: Annotated[bool, typer.Option("--give-up", help="Nobody can find out: cancel the run")] = False,
    result: Annotated[str, typer.Option(help="With --happened: the result of the tool, JSON or text")] = "",
    note: Annotated[str, typer.Option(help="A note for the audit log")] = "",
    as_json: AsJson = False,
) -> None:
    """Decide about a call whose outcome is unknown."""
    chosen = {"happened": happened, "not_happened": not_happened, "give_up": give_up}
    decisions = [name for name, wanted in chosen.items() if wanted]
    if len(decisions) != 1:
        raise InvalidRequest("give one of --happened, --not-happened and --give-up")
    body = {"step": step, "decision": decisions[0], "result": _value(result), "note": note}
    found = Server.of(context).call("POST", f"{_path(run_id)}/decide", body)
    show.done(f"{run_id} is {found['status']}.", found, as_json)


@app.command()
def fork(
    context: typer.Context,
    run_id: Id,
    after: Annotated[int | None, typer.Option(min=0, help="Number of the last step to keep; default: all")] = None,
    step: Annotated[str, typer.Option(help="Id of a step that gets another outcome")] = "",
    outcome: Annotated[str, typer.Option(help="That outcome, as JSON")] = "",
    as_json: AsJson = False,
) -> None:
    """Start a run with the first steps of this one."""
    body: dict[str, Any] = {}
    if after is not None:
        body["after"] = after
    if step:
        body |= {"step": step, "outcome": _value(outcome)}
    found = Server.of(context).call("POST", f"{_path(run_id)}/fork", body)
    show.done(f"{found['id']} is {found['status']}.", found, as_json)


@app.command()
def replay(context: typer.Context, run_id: Id, as_json: AsJson = False) -> None:
    """Replay a run from its records, and say whether it gives the same answer. This calls no model and no tool."""
    found = Server.of(context).call("POST", f"{_path(run_id)}/replay")
    if as_json:
        show.as_json(found)
    else:
        print(show.written(found["output_text"]))
        same = "It says the same as it did." if found["identical"] else "It does not say what it said."
        failed = f" {found['error']['message']}" if found["error"] else ""
        print(show.printable(f"{same} ({found['steps']} steps){failed}"))
    if not found["identical"]:
        raise typer.Exit(1)


def _steer(context: typer.Context, run_id: str, how: str, as_json: bool) -> None:
    found = Server.of(context).call("POST", f"{_path(run_id)}/{how}")
    show.done(f"{run_id} is {found['status']}.", found, as_json)


def _path(run_id: str) -> str:
    return f"/v1/agents/runs/{quote(run_id, safe='')}"


def _time(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def _short(step: dict[str, Any]) -> str:
    return json.dumps(step["outcome"], ensure_ascii=False)[:80] if step["number"] else ""


def _value(text: str) -> Any:
    """JSON, or the text itself if it is none."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


COMMANDS = (Command("runs", app, MODELS),)
