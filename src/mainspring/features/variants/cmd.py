"""``mainspring variants``: what applications use in place of what the settings say, at a running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import QUALITY, Command
from mainspring.core.errors import InvalidRequest
from mainspring.terminal import named_values, show
from mainspring.terminal.remote import Server

app = typer.Typer(
    help="Try, promote and undo the variants that applications use instead of their settings.", no_args_is_help=True
)
CandidateId = Annotated[str, typer.Argument(help="Its id, cand_..., from `mainspring variants candidates`")]
Share = Annotated[float, typer.Option(min=0, max=1, help="The share of the requests, such as 0.1")]
Reason = Annotated[str, typer.Option(help="The reason, which is kept")]
Name = Annotated[str, typer.Argument(help="The application, such as document-qa or a collection")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command("list")
def list_variants(context: typer.Context, as_json: AsJson = False) -> None:
    """List the applications that use variants."""
    found = Server.of(context).call("GET", "/v1/variants")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("Every application uses its settings.")
    else:
        show.table(("APPLICATION", "CURRENT", "CANDIDATE", "STAGE"), [_row(each) for each in found])


@app.command("show")
def show_variant(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show the variants of an application, and their history."""
    server, path = Server.of(context), f"/v1/variants/{quote(name, safe='')}"
    found = server.call("GET", path)
    history = server.call("GET", f"{path}/history")["data"]
    if as_json:
        show.as_json({**found, "history": history})
        return
    show.table(("APPLICATION", "CURRENT", "CANDIDATE", "STAGE"), [_row(found)])
    print()
    rows = [
        (_time(each["at"]), each["action"], each["kind"] or "-", each["candidate"] or "-", each["reason"] or "-")
        for each in history
    ]
    show.table(("AT", "CHANGE", "KIND", "CANDIDATE", "REASON"), rows)


@app.command("candidates")
def list_candidates(
    context: typer.Context,
    application: Annotated[str, typer.Option(help="Only candidates of this application")] = "",
    as_json: AsJson = False,
) -> None:
    """List the admitted and withdrawn candidates, newest first."""
    asked = f"?{urlencode({'application': application})}" if application else ""
    found = Server.of(context).call("GET", f"/v1/variants/candidates{asked}")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("There are no candidates: `mainspring variants admit` makes one.")
    else:
        rows = [
            (each["id"], each["application"], each["kind"], _what(each) or "-", each["status"], each["reason"] or "-")
            for each in found
        ]
        show.table(("CANDIDATE", "APPLICATION", "KIND", "WHAT", "STATUS", "REASON"), rows)


@app.command("admit")
def admit_candidate(
    context: typer.Context,
    name: Name,
    kind: Annotated[str, typer.Argument(help="model, prompt, examples, answering, reranker, reader, router or judge")],
    value: Annotated[
        list[str] | None, typer.Argument(help="Its value: NAME=VALUE ..., such as model=mine@1", metavar="NAME=VALUE")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A JSON or YAML file with the value")] = None,
    as_json: AsJson = False,
) -> None:
    """Admit a candidate: you can ask it by its name, and it gets no other requests."""
    if bool(value) == (file is not None):
        raise InvalidRequest(
            "a candidate needs its value", remedy="Write NAME=VALUE, or name a file with --file", param="value"
        )
    given = _read(file) if file is not None else named_values.read(value or (), "value")
    made = Server.of(context).call("POST", "/v1/variants", {"kind": kind, "application": name, "value": given})
    show.done(f"{made['id']} is admitted: ask it as the model {made['model']}.", made, as_json)


@app.command("shadow")
def shadow_candidate(
    context: typer.Context, candidate: CandidateId, share: Share = 0.1, as_json: AsJson = False
) -> None:
    """Send a candidate copies of a share of the requests; nobody sees what it answers."""
    made = _moved(context, candidate, "shadow", share=share)
    show.done(f"{candidate} gets copies of {share:.3g} of the requests of {made['id']}.", made, as_json)


@app.command("canary")
def canary_candidate(
    context: typer.Context, candidate: CandidateId, share: Share = 0.1, as_json: AsJson = False
) -> None:
    """Have a candidate answer a share of the sessions and users."""
    made = _moved(context, candidate, "canary", share=share)
    show.done(f"{candidate} answers {share:.3g} of the requests of {made['id']}.", made, as_json)


@app.command("promote")
def promote_candidate(context: typer.Context, candidate: CandidateId, as_json: AsJson = False) -> None:
    """Have the application use a candidate for all requests; `undo` takes it back."""
    made = _moved(context, candidate, "promote")
    told = f"{made['id']} uses {_current(made)}. Back: mainspring variants undo {made['id']}"
    show.done(told, made, as_json)


@app.command("withdraw")
def withdraw_candidate(
    context: typer.Context, candidate: CandidateId, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Withdraw a candidate: it gets no more requests, and if it is current, the one before it is again."""
    made = _moved(context, candidate, "withdraw", reason=reason)
    show.done(f"{candidate} is withdrawn: {made['id']} uses {_current(made)}.", made, as_json)


@app.command("undo")
def undo_variant(
    context: typer.Context,
    name: Name,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Undo the latest promotion: the former variant becomes current again."""
    made = Server.of(context).call("POST", f"/v1/variants/{quote(name, safe='')}/undo", {"reason": reason})
    show.done(f"{name} uses {_current(made)} again.", made, as_json)


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _moved(context: typer.Context, candidate: str, action: str, **more: Any) -> dict[str, Any]:
    """The placement after the change."""
    path = f"/v1/variants/candidates/{quote(candidate, safe='')}"
    made: dict[str, Any] = Server.of(context).call("POST", path, {"action": action, **more})
    return made


def _row(place: dict[str, Any]) -> tuple[str, str, str, str]:
    candidate = place["candidate"]
    stage = f"{place['stage']} {place['share']:.0%}" if place["stage"] else "-"
    return place["id"], _current(place), "-" if candidate is None else _candidate(candidate), stage


def _current(place: dict[str, Any]) -> str:
    return ", ".join(map(_candidate, place["current"])) or "what the settings say"


def _candidate(each: dict[str, Any]) -> str:
    what = _what(each)
    return f"{each['kind']} {each['id']}" + (f" ({what})" if what else "")


def _what(each: dict[str, Any]) -> str:
    """The version or the model that a candidate is; empty for those that are texts and numbers."""
    value = each["value"]
    named = next((str(value[name]) for name in ("model", "prompt", "judge") if value.get(name)), "")
    version = value.get("version") or each["version"]
    if named and isinstance(version, int):
        return f"{named} {version}"
    return named or str(version or "")


def _read(file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidRequest(f"{file} cannot be read: {error}", param="file") from None


COMMANDS = (Command("variants", app, QUALITY),)
