"""``mainspring credentials``: secrets of providers, kept encrypted. Secrets are never given on a command line."""

from __future__ import annotations

import asyncio
import getpass
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.stores import Stores

app = typer.Typer(help="Store secrets of providers, encrypted.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Name = Annotated[str, typer.Argument(help="Its name in the configuration: api_key: credential:NAME")]


@app.command("set")
def set_credential(context: typer.Context, name: Name) -> None:
    """Store a secret, read from a prompt or from standard input. Servers read it at their next start."""
    secret = getpass.getpass(f"Secret of {name}: ") if sys.stdin.isatty() else sys.stdin.read()
    if not secret.strip():
        raise InvalidRequest("no secret was given", remedy=f"Pipe it in: `mainspring credentials set {name} < FILE`")
    _run(context, lambda opened: opened.credentials.set(name, secret.strip()))
    print(f"{name} is kept. In the configuration it is `credential:{name}`.")


@app.command("list")
def list_credentials(context: typer.Context, as_json: AsJson = False) -> None:
    """List the credentials without their secrets."""
    rows = [
        {
            "name": each.name,
            "key": each.key_id,
            "made": _day(each.created_at),
            "changed": _day(each.updated_at),
        }
        for each in _run(context, lambda opened: opened.credentials.list())
    ]
    if as_json:
        show.as_json(rows)
    elif rows:
        show.table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        print("No credentials yet: `mainspring credentials set NAME` keeps one.")


@app.command()
def remove(context: typer.Context, name: Name) -> None:
    """Delete a credential."""
    _run(context, lambda opened: opened.credentials.remove(name))
    print(f"{name} is forgotten.")


@app.command()
def rotate(context: typer.Context, as_json: AsJson = False) -> None:
    """Encrypt all credentials with another key: a new one in the key file, or the first of stores.credentials_key."""
    count, key_id = _run(context, lambda opened: opened.credentials.rotate())
    text = f"{count} {'credential is' if count == 1 else 'credentials are'} guarded by the key {key_id}."
    show.done(text, {"credentials": count, "key": key_id}, as_json)


def _run(context: typer.Context, work: Callable[[Stores], Awaitable[Any]]) -> Any:
    async def within() -> Any:
        from mainspring import stores
        from mainspring.core.settings import load

        async with stores.open(load(context.obj).settings) as opened:
            return await work(opened)

    return asyncio.run(within())


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
