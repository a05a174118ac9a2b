"""``mainspring code``: index a folder on a running server, and the language server for editors."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.command import START, Command
from mainspring.core.errors import MissingExtra
from mainspring.terminal import show
from mainspring.terminal.remote import Server, ServerRefused

app = typer.Typer(help="Complete, explain and search code: index folders, serve editors.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Name = Annotated[str, typer.Option("--name", help="Name of the workspace (default: the folder's)")]


@app.command()
def index(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The folder", exists=True, file_okay=False)] = Path(),
    name: Name = "",
    follow: Annotated[bool, typer.Option("--watch", help="Follow changes until interrupted")] = False,
    as_json: AsJson = False,
) -> None:
    """Index a folder on a running server, without secrets, generated files and files that git ignores."""
    from mainspring.features.code.lsp.remote import Refused, RemoteCode
    from mainspring.features.code.lsp.sync import Synced, sync, watch

    server, root = Server.of(context), path.resolve()

    async def work() -> tuple[str, Synced]:
        remote = RemoteCode(server.url, server.key)
        try:
            workspace = await remote.workspace(name or root.name)
            done = await sync(remote, workspace, root)
            if follow:
                print(f"{done.files} files; following {root} until interrupted.", flush=True)
                await watch(remote, workspace, root)
            return workspace, done
        finally:
            await remote.close()

    try:
        workspace, done = asyncio.run(work())
    except Refused as error:
        raise ServerRefused(str(error)) from None
    body: dict[str, Any] = {
        "workspace": workspace,
        "name": name or root.name,
        "files": done.files,
        "indexed": done.sent,
        "left_out": done.left_out,
        "masked_secrets": done.masked,
    }
    said = (
        f"{done.files} files in the workspace {body['name']}: {done.sent} indexed anew, {done.masked} secrets masked."
    )
    show.done(said, body, as_json)


@app.command()
def workspaces(context: typer.Context, as_json: AsJson = False) -> None:
    """List the workspaces of the key."""
    found = Server.of(context).call("GET", "/v1/code/workspaces")["data"]
    if as_json:
        show.as_json(found)
    elif found:
        show.table(("ID", "NAME", "FILES"), [(each["id"], each["name"], each["files"]) for each in found])
    else:
        print("No workspaces: `mainspring code index FOLDER` makes one.")


@app.command()
def remove(
    context: typer.Context, workspace: Annotated[str, typer.Argument(help="Its id or name")], as_json: AsJson = False
) -> None:
    """Delete a workspace and its index; the folder stays."""
    from urllib.parse import quote

    found = Server.of(context).call("DELETE", f"/v1/code/workspaces/{quote(workspace, safe='')}")
    show.done(f"The workspace {workspace} is deleted.", found, as_json)


@app.command()
def lsp(
    context: typer.Context,
    name: Name = "",
    index_folder: Annotated[bool, typer.Option("--index/--no-index", help="Index the editor's folder")] = True,
) -> None:
    """Serve an editor by the Language Server Protocol on standard input and output."""
    from mainspring.features.code.lsp.remote import RemoteCode

    try:
        from mainspring.features.code.lsp.server import CodeServer
    except ImportError:
        raise MissingExtra("editors cannot be served", remedy="Run `pip install 'mainspring[code]'`") from None
    server = Server.of(context)
    CodeServer(RemoteCode(server.url, server.key), name, index=index_folder).start_io()


COMMANDS = (Command("code", app, START),)
