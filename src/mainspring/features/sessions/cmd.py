"""``mainspring sessions``: list, show, fork, export and delete conversations, of one tenant and one set of groups."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mainspring.command import KEEP, Command
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.types import Principal
    from mainspring.stores import Stores

T = TypeVar("T")
app = typer.Typer(help="List, show, fork, export and delete conversations.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="Tenant that owns the sessions")]
Groups = Annotated[list[str] | None, typer.Option("--group", help="Group of the sessions' keys; repeat for more")]
Name = Annotated[str, typer.Argument(help="The session's id")]
FORMATS = ("jsonl", "markdown")


@app.command("list")
def list_sessions(
    context: typer.Context,
    tenant: Tenant = "default",
    group: Groups = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number, newest first")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the sessions of a set of groups."""

    async def work(opened: Stores, principal: Principal) -> list[dict[str, Any]]:
        from mainspring.features.sessions.routes import session_body
        from mainspring.serving.memory.layer import owner
        from mainspring.stores.sql.pages import Page

        found = await opened.sessions.page(tenant, owner(principal), Page(limit))
        return [session_body(each) for each in found.rows]

    rows = _run(context, tenant, group, work)
    if as_json:
        show.as_json(rows)
    elif rows:
        cells = [(row["id"], row["turns"], row["spent_tokens"], _time(row["updated_at"])) for row in rows]
        show.table(["session", "turns", "tokens", "last turn"], cells)
    else:
        print("No sessions: a chat request with a session_id begins one.")


@app.command("show")
def show_session(
    context: typer.Context,
    session_id: Name,
    tenant: Tenant = "default",
    group: Groups = None,
    as_json: AsJson = False,
) -> None:
    """Show a session: its properties, its summary, its latest messages."""

    async def work(opened: Stores, principal: Principal) -> dict[str, Any]:
        from mainspring.features.sessions.routes import message_body, session_body, summary_body
        from mainspring.serving.memory.layer import stored_name

        name = stored_name(principal, session_id)
        info = session_body(await opened.sessions.get(tenant, name))
        read = await opened.sessions.read(tenant, name, limit=1, summary=True)
        latest = (await opened.sessions.all_messages(tenant, name))[-10:]
        summary = None if read.summary is None else summary_body(session_id, read.summary)
        return {**info, "summary": summary, "latest": [message_body(each) for each in latest]}

    found = _run(context, tenant, group, work)
    if as_json:
        show.as_json(found)
        return
    print(f"{found['id']}: {found['turns']} turns, {found['spent_tokens']} tokens, since {_time(found['created_at'])}")
    if found["summary"] is not None:
        covers = found["summary"]["covers"]
        print(f"\nSummary of the first {covers['turns']} turns ({found['summary']['method']})")
        print(show.printable(found["summary"]["text"] or ""), end="\n" if found["summary"]["text"] else "")
        for note in found["summary"]["notes"]:
            print(show.printable(f"  {note['role']}: {note['text']}"))
    print()
    for message in found["latest"]:
        print(show.printable(f"{message['turn_id']}  {message['role']}: {message['content']}"))


@app.command()
def fork(
    context: typer.Context,
    session_id: Name,
    into: Annotated[str, typer.Argument(help="The new session's id")],
    turn: Annotated[str | None, typer.Option(help="The last turn to copy", show_default="the last")] = None,
    tenant: Tenant = "default",
    group: Groups = None,
    as_json: AsJson = False,
) -> None:
    """Start a new session with the turns of another."""

    async def work(opened: Stores, principal: Principal) -> dict[str, Any]:
        from mainspring.features.sessions.routes import session_body
        from mainspring.serving.memory.layer import stored_name

        names = stored_name(principal, session_id), stored_name(principal, into)
        return session_body(await opened.sessions.fork(tenant, *names, upto=turn))

    made = _run(context, tenant, group, work)
    if as_json:
        show.as_json(made)
    else:
        print(f"{made['id']} begins with {made['turns']} turns of {session_id}.")


@app.command()
def export(
    context: typer.Context,
    session_id: Name,
    form: Annotated[str, typer.Option("--format", help="jsonl or markdown")] = "jsonl",
    out: Annotated[Path | None, typer.Option(help="File to write", show_default="the terminal")] = None,
    tenant: Tenant = "default",
    group: Groups = None,
) -> None:
    """Write a session to a file, one message per line or as text."""
    if form not in FORMATS:
        raise InvalidRequest(f"there is no format {form!r}", remedy=f"Use {' or '.join(FORMATS)}", param="format")

    async def work(opened: Stores, principal: Principal) -> str:
        from mainspring.features.sessions.routes import exported
        from mainspring.serving.memory.layer import stored_name

        name = stored_name(principal, session_id)
        await opened.sessions.get(tenant, name)
        return exported(session_id, await opened.sessions.all_messages(tenant, name), form)[0]

    text = _run(context, tenant, group, work)
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")


@app.command()
def delete(
    context: typer.Context,
    session_id: Name,
    tenant: Tenant = "default",
    group: Groups = None,
    as_json: AsJson = False,
) -> None:
    """Delete a session, with its derived data and the recorded texts of its answers."""

    async def work(opened: Stores, principal: Principal) -> int:
        from mainspring.serving.memory.layer import stored_name

        return await opened.sessions.delete(tenant, stored_name(principal, session_id))

    count = _run(context, tenant, group, work)
    if not count:
        raise NotFound(f"there is no session {session_id!r}", remedy="`mainspring sessions list` shows them")
    facts = {"session_id": session_id, "deleted_messages": count}
    show.done(f"{session_id} is forgotten: {count} messages.", facts, as_json)


def _run(
    context: typer.Context,
    tenant: str,
    groups: list[str] | None,
    work: Callable[[Stores, Principal], Awaitable[T]],
) -> T:
    async def opened() -> T:
        from mainspring import stores
        from mainspring.core.settings import load
        from mainspring.core.types import Principal

        principal = Principal(tenant, "local", frozenset({"admin"}), frozenset(groups or ()))
        async with stores.open(load(context.obj).settings) as all_stores:
            return await work(all_stores, principal)

    return asyncio.run(opened())


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


COMMANDS = (Command("sessions", app, KEEP),)
