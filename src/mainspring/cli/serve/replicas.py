"""``mainspring replicas``: what the replicas of a running server do; take one out of service and put it back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Show, drain and undrain the replicas of a running server.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Model = Annotated[str, typer.Argument(help="Name of the served model")]
Name = Annotated[str, typer.Argument(help="Name of the replica, from `mainspring replicas list`")]


@app.command("list")
def list_replicas(context: typer.Context, as_json: AsJson = False) -> None:
    """List the current replicas and the arms of routes."""
    found = Server.of(context).call("GET", "/v1/replicas")
    if as_json:
        show.as_json(found)
        return
    rows = [_row(model["model"], replica) for model in found["models"] for replica in model["replicas"]]
    if rows:
        show.table(("MODEL", "REPLICA", "STATE", "RUNNING", "TOKENS", "SERVED", "FAILED", "FIRST TOKEN"), rows)
    else:
        print("No model has replicas: see docs/guides/routing.md")
    arms = [
        (route["name"], arm["name"], arm["model"], arm["weight"], arm["given"])
        for route in found["routes"]
        for arm in route["arms"]
    ]
    if arms:
        print()
        show.table(("ROUTE", "ARM", "MODEL", "WEIGHT", "REQUESTS"), arms)


@app.command()
def drain(
    context: typer.Context,
    model: Model,
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Also drain the last available replica")] = False,
    as_json: AsJson = False,
) -> None:
    """Send no more calls to a replica; running ones end normally."""
    body = {"model": model, "replica": name, "force": force}
    found = Server.of(context).call("POST", "/v1/replicas/drain", body)
    show.done(f"{name} of {model} is {found['state']}: {found['running']} calls run on it.", found, as_json)


@app.command()
def undrain(context: typer.Context, model: Model, name: Name, as_json: AsJson = False) -> None:
    """Send calls to a drained replica again."""
    found = Server.of(context).call("POST", "/v1/replicas/undrain", {"model": model, "replica": name})
    show.done(f"{name} of {model} is {found['state']}.", found, as_json)


def _row(model: str, replica: dict[str, Any]) -> tuple[Any, ...]:
    first = replica["first_token_s"]
    return (
        model,
        replica["name"],
        replica["state"],
        replica["running"],
        replica["outstanding_tokens"],
        replica["served"],
        replica["failures"],
        "-" if first is None else f"{1000 * first:.0f} ms",
    )
