"""``mainspring code``: index a folder on a running server, ask about its files, and the language server for editors."""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.command import START, Command
from mainspring.core.errors import MissingExtra
from mainspring.terminal import show
from mainspring.terminal.remote import Server, ServerRefused

app = typer.Typer(help="Complete, explain, fix and test code; index folders, serve editors.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Name = Annotated[str, typer.Option("--name", help="Name of the workspace (default: the folder's)")]
File = Annotated[Path, typer.Argument(help="The file", exists=True, dir_okay=False)]
Lines = Annotated[str, typer.Option(help="10-20, or 10: the definition around this line (default: the whole file)")]
Known = Annotated[str, typer.Option("--workspace", help="Use the definitions of this workspace, by id or name")]
Diff = Annotated[bool, typer.Option("--diff", help="Print only the change, as `git apply` and `patch -p1` read it")]


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
def complete(
    context: typer.Context,
    file: File,
    line: Annotated[int, typer.Option(min=1, help="The line of the cursor, from 1")],
    column: Annotated[int | None, typer.Option(min=1, help="The column, from 1 (default: the line's end)")] = None,
    workspace: Known = "",
    as_json: AsJson = False,
) -> None:
    """Complete the code at a place in a file."""
    text = _text(file)
    lines = text.split("\n")
    if line > len(lines):
        raise typer.BadParameter(f"the file has {len(lines)} lines", param_hint="line")
    at = sum(len(each) + 1 for each in lines[: line - 1]) + min(
        (column or len(lines[line - 1]) + 1) - 1, len(lines[line - 1])
    )
    body = {"prefix": text[:at], "suffix": text[at:], "path": _place(file), "workspace": workspace}
    found = _asked(context, "/v1/code/complete", body)
    show.done(found["completion"] or "No completion fits here.", found, as_json)


@app.command()
def explain(
    context: typer.Context, file: File, lines: Lines = "", workspace: Known = "", as_json: AsJson = False
) -> None:
    """Explain code."""
    _act(context, "explain", file, lines, workspace, as_json=as_json)


@app.command()
def fix(
    context: typer.Context,
    file: File,
    lines: Lines = "",
    workspace: Known = "",
    error: Annotated[list[str] | None, typer.Option(help="What a compiler or a test says; may be given again")] = None,
    diff: Diff = False,
    as_json: AsJson = False,
) -> None:
    """Correct code; the file stays as it is, and `--diff` prints the change."""
    _act(context, "fix", file, lines, workspace, error or [], diff, as_json)


@app.command("test")
def write_tests(
    context: typer.Context, file: File, lines: Lines = "", workspace: Known = "", as_json: AsJson = False
) -> None:
    """Write tests for code, and print them."""
    _act(context, "test", file, lines, workspace, as_json=as_json)


@app.command()
def document(
    context: typer.Context,
    file: File,
    lines: Lines = "",
    workspace: Known = "",
    diff: Diff = False,
    as_json: AsJson = False,
) -> None:
    """Write documentation into code; the file stays as it is, and `--diff` prints the change."""
    _act(context, "document", file, lines, workspace, (), diff, as_json)


def _act(
    context: typer.Context,
    action: str,
    file: Path,
    lines: str,
    workspace: str,
    errors: Sequence[str] = (),
    diff: bool = False,
    as_json: bool = False,
) -> None:
    """One action on a file, told as text, as a change, or as JSON."""
    text = _text(file)
    body = {"action": action, "text": text, "path": _place(file), "workspace": workspace, "diagnostics": list(errors)}
    found = _asked(context, "/v1/code/actions", body | _range(lines))
    if as_json:
        show.as_json(found)
        return
    shown = found["code"] if action == "test" else found["text"]
    if diff:
        if not found["replaces"]:
            raise ServerRefused("no code came back that parses in its place: try fewer lines")
        shown = _change(_place(file), text, found["code"], found["replaces"])
        if not shown:
            raise ServerRefused("the code came back as it was")
    elif action != "explain" and not found["code"]:
        raise ServerRefused("no code came back that parses: try fewer lines, or a larger model (code.chat_model)")
    # Code is printed as it is, so that a file or `git apply` can take it: tabs are no escapes there.
    print(show.written(shown) if action == "explain" else "\n".join(map(_line, shown.rstrip("\n").split("\n"))))


def _line(text: str) -> str:
    return "\t".join(show.printable(part) for part in text.split("\t"))


def _change(place: str, text: str, code: str, replaces: Mapping[str, int]) -> str:
    """The change as a unified diff; the file ends as it did."""
    lines = text.split("\n")
    made = [*lines[: replaces["first_line"] - 1], *code.rstrip("\n").split("\n"), *lines[replaces["last_line"] :]]
    end = "\n" if text.endswith("\n") else ""
    changed = "\n".join(made).removesuffix(end) + end
    parts = difflib.unified_diff(_kept(text), _kept(changed), f"a/{place}", f"b/{place}")
    return "".join(each if each.endswith("\n") else f"{each}\n\\ No newline at end of file\n" for each in parts)


def _kept(text: str) -> list[str]:
    """Lines with their ends, of which only line feeds count."""
    return [each for each in re.split(r"(?<=\n)", text) if each]


def _range(lines: str) -> dict[str, int]:
    """The fields of a request for ``10-20``, ``10`` or nothing."""
    if not lines:
        return {}
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", lines)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 0 < first <= last:
        raise typer.BadParameter("write 10-20, or 10", param_hint="lines")
    return {"first_line": first, "last_line": last}


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is no text in UTF-8", param_hint="file") from None


def _place(file: Path) -> str:
    """The path within the folder of work, or the name of a file elsewhere."""
    whole = file.resolve()
    return (whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else Path(whole.name)).as_posix()


def _asked(context: typer.Context, path: str, body: Mapping[str, Any]) -> Any:
    """The answer of a model, which may take minutes."""
    with Server.of(context).opened("POST", path, body) as answer:
        return json.load(answer)


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
