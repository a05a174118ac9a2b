"""``mainspring improve``: the loop of improvement at a running server."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import QUALITY, Command
from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Improve applications from feedback, by a policy.", no_args_is_help=True)
policies = typer.Typer(help="Set, show and delete policies of applications.", no_args_is_help=True)
app.add_typer(policies, name="policies")
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Application = Annotated[str, typer.Argument(help="The name of the application")]
Campaign = Annotated[str, typer.Argument(help="Its id, from `mainspring improve list`")]
Reason = Annotated[str, typer.Option(help="The reason, which is recorded")]


@app.command("status")
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show each application with a policy, what it uses, and where its campaign is."""
    found = Server.of(context).call("GET", "/v1/improve")["data"]
    if as_json:
        show.as_json(found)
        return
    if not found:
        print("No application has a policy: `mainspring improve policies set` gives it one.")
        return
    rows = []
    for each in found:
        placed = each["placement"] or {}
        current = (placed.get("current") or {}).get("version") or (placed.get("current") or {}).get("id")
        last = each["campaigns"][0] if each["campaigns"] else None
        stage = "-" if last is None else last["stage"]
        reason = "-" if last is None else last["reason"][:80]
        rows.append((each["application"], current or "as set", each["watched"]["fresh"], stage, reason))
    show.table(("APPLICATION", "CURRENT", "NEW FEEDBACK", "STAGE", "WHY"), rows)


@app.command("run")
def run(context: typer.Context, application: Application, as_json: AsJson = False) -> None:
    """Start a campaign now."""
    made = Server.of(context).call("POST", f"/v1/improve/policies/{_named(application)}/run")
    show.done(f"The campaign {made['id']} of {application} has begun.", made, as_json)


@app.command("list")
def list_campaigns(
    context: typer.Context,
    application: Annotated[str, typer.Option(help="Only this application's")] = "",
    as_json: AsJson = False,
) -> None:
    """List the latest hundred campaigns."""
    asked = urlencode({"limit": 100, **({"application": application} if application else {})})
    found = Server.of(context).call("GET", f"/v1/improve/campaigns?{asked}")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No campaigns: `mainspring improve run` begins one.")
    else:
        rows = [(e["id"], e["application"], e["stage"], e["recipe"], e["reason"][:80]) for e in found]
        show.table(("CAMPAIGN", "APPLICATION", "STAGE", "RECIPE", "WHY"), rows)


@app.command("show")
def show_campaign(context: typer.Context, campaign: Campaign, as_json: AsJson = False) -> None:
    """Show a campaign with its transitions, their reasons and figures."""
    found = Server.of(context).call("GET", f"/v1/improve/campaigns/{_named(campaign)}")
    if as_json:
        show.as_json(found)
        return
    print(f"{found['application']}: {found['stage']}. {found['reason']}\n")
    rows = []
    for each in found["steps"]:
        at = datetime.datetime.fromtimestamp(each["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        figures = ", ".join(f"{name} {value:.4g}" for name, value in sorted(each["figures"].items()))
        rows.append((at, each["stage"], each["by"] or "rule", each["reason"][:100], figures[:160]))
    show.table(("AT", "STAGE", "BY", "WHY", "FIGURES"), rows)


@app.command("stop")
def stop_campaign(context: typer.Context, campaign: Campaign, reason: Reason = "", as_json: AsJson = False) -> None:
    """Stop a campaign: its candidates get no traffic."""
    path = f"/v1/improve/campaigns/{_named(campaign)}/stop"
    made = Server.of(context).call("POST", path, {"reason": reason})
    show.done(f"The campaign {campaign} stops.", made, as_json)


@app.command("undo")
def undo(context: typer.Context, application: Application, reason: Reason = "", as_json: AsJson = False) -> None:
    """Undo the last promotion: the former variant becomes current again."""
    path = f"/v1/improve/applications/{_named(application)}/undo"
    made = Server.of(context).call("POST", path, {"reason": reason})
    show.done(f"{made['undone']} is undone.", made, as_json)


@app.command("lineage")
def lineage(
    context: typer.Context,
    answer: Annotated[str, typer.Option(help="For this answer")] = "",
    variant: Annotated[str, typer.Option(help="For this variant, by its id or version")] = "",
    feedback: Annotated[str, typer.Option(help="For this piece of feedback")] = "",
    as_json: AsJson = False,
) -> None:
    """Show where an answer, a variant or a piece of feedback comes from, and what was made from it."""
    given = [
        (kind, name) for kind, name in (("answers", answer), ("variants", variant), ("feedback", feedback)) if name
    ]
    if len(given) != 1:
        raise InvalidRequest("name one of --answer, --variant and --feedback", param="answer")
    kind, name = given[0]
    found = Server.of(context).call("GET", f"/v1/improve/lineage/{kind}/{_named(name)}")
    if as_json:
        show.as_json(found)
        return
    _tell("", found)


@app.command("demo")
def demo(
    samples: Annotated[Path, typer.Option(help="The folder of sample documents and questions")] = Path("samples"),
    seconds: Annotated[float, typer.Option(min=60, help="Maximum time of one campaign")] = 1500.0,
    keep: Annotated[Path | None, typer.Option(help="Work in this folder, and keep it")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the loop on this machine, with its own server, simulated people, and the results of their feedback.

    The exit status is 1 if nothing was promoted, or a planted bad candidate was.
    """
    from mainspring.features.improve.demo.story import Story

    said: Callable[[str], None] = _quiet if as_json else _loud
    with contextlib.ExitStack() as stack:
        home = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mainspring-loop-")))
        home.mkdir(parents=True, exist_ok=True)
        found = asyncio.run(Story(samples, home, seconds, said).run())
    if as_json:
        show.as_json(found, ok=found["ok"])
    else:
        after, before = found["honest"]["liked_after"], found["honest"]["liked_before"]
        print(
            f"Thumbs up: {before['thumbs_up']:.0%} (n = {before['n']}) before, {after['thumbs_up']:.0%} (n = "
            f"{after['n']}) after, on questions that nothing was trained on. It took {found['seconds']:.0f} s."
        )
    if not found["ok"]:
        raise typer.Exit(show.FAILED)


@policies.command("list")
def list_policies(context: typer.Context, as_json: AsJson = False) -> None:
    """List the policies in force."""
    found = Server.of(context).call("GET", "/v1/improve/policies")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No application has a policy.")
    else:
        rows = [(e["application"], e["version"], "yes" if e["enabled"] else "no", _recipes(e["policy"])) for e in found]
        show.table(("APPLICATION", "VERSION", "ENABLED", "RECIPES"), rows)


@policies.command("set")
def set_policy(
    context: typer.Context,
    application: Application,
    file: Annotated[Path, typer.Argument(help="A YAML file: data, rungs, offline and more")],
    as_json: AsJson = False,
) -> None:
    """Set the policy of an application from a file; each change is a new version."""
    made = Server.of(context).call("PUT", f"/v1/improve/policies/{_named(application)}", _read(file))
    show.done(f"The policy of {application} has version {made['version']}.", made, as_json)


@policies.command("show")
def show_policy(context: typer.Context, application: Application, as_json: AsJson = False) -> None:
    """Show the policy in force, as YAML."""
    found = Server.of(context).call("GET", f"/v1/improve/policies/{_named(application)}")
    if as_json:
        show.as_json(found)
        return
    import yaml

    print(yaml.safe_dump(found["policy"], sort_keys=False, allow_unicode=True).rstrip())


@policies.command("delete")
def delete_policy(context: typer.Context, application: Application, as_json: AsJson = False) -> None:
    """Delete a policy. Promoted variants stay."""
    made = Server.of(context).call("DELETE", f"/v1/improve/policies/{_named(application)}")
    show.done(f"The policy of {application} is deleted.", made, as_json)


def _tell(indent: str, found: Any) -> None:
    for name, value in found.items():
        if isinstance(value, dict):
            print(f"{indent}{name}:")
            _tell(indent + "  ", value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{indent}{name}:")
            for each in value:
                print(f"{indent}  -")
                _tell(indent + "    ", each)
        elif value not in (None, [], ""):
            print(f"{indent}{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


def _quiet(_: str) -> None:
    pass


def _loud(line: str) -> None:
    print(line, flush=True)


def _named(name: str) -> str:
    return quote(name, safe="")


def _recipes(policy: dict[str, Any]) -> str:
    return ", ".join(each["recipe"] for each in policy["rungs"])


def _read(file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidRequest(f"{file} cannot be read: {error}", param="file") from None


COMMANDS = (Command("improve", app, QUALITY),)
