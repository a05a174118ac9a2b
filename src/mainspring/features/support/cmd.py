"""``mainspring support``: talk to the agent as a customer, and make the sample shop anew."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.command import START, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(
    help="Chat with customer support on a running server, and create its sample shop.", no_args_is_help=True
)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command()
def chat(context: typer.Context) -> None:
    """Chat with the agent as a customer; an empty line ends the chat."""
    server, session = Server.of(context), f"support-{secrets.token_hex(6)}"
    while text := input("> ").strip():
        print(show.written(_said(_asked(server, text, session))) + "\n")


@app.command()
def ask(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="The message of the customer")],
    session: Annotated[str, typer.Option(help="Continue this conversation")] = "",
    as_json: AsJson = False,
) -> None:
    """Send one message of a customer."""
    session = session or f"support-{secrets.token_hex(6)}"
    found = _asked(Server.of(context), text, session)
    if as_json:
        show.as_json({"answer": _said(found), "session_id": session})
    else:
        print(show.written(_said(found)))


@app.command()
def seed(
    context: typer.Context,
    database: Annotated[Path | None, typer.Option(help="SQLite file; default: the one in the settings")] = None,
    as_json: AsJson = False,
) -> None:
    """Recreate the sample shop as delivered. This deletes later orders, returns and tickets."""
    from mainspring.core.settings import load
    from mainspring.features.support.settings import SupportSettings
    from mainspring.features.support.shop.sqlite import SqliteShop, place

    settings = load(context.obj).settings
    path = database or place(settings.section(SupportSettings).database, settings.home)
    SqliteShop(path).reset()
    show.done(f"{path} holds the sample shop.", {"database": str(path)}, as_json)


def _asked(server: Server, text: str, session: str) -> Any:
    body = {"model": "support", "messages": [{"role": "user", "content": text}], "session_id": session}
    return server.call("POST", "/v1/chat/completions", body)


def _said(found: Any) -> str:
    return str(found["choices"][0]["message"]["content"])


COMMANDS = (Command("support", app, START),)
