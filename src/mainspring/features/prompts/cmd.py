"""``mainspring prompts``: versions of prompts, their labels, and what changed between them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.command import MODELS, Command
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.types import Message
    from mainspring.stores import Stores
    from mainspring.stores.work.prompts import Move

AUTHOR = "command line"
app = typer.Typer(help="Add, show, label, roll back and compare prompts.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="Tenant of the prompt")]
Name = Annotated[str, typer.Argument(help="The prompt's name")]
Label = Annotated[str, typer.Argument(help="The label: production, staging, any")]
Note = Annotated[str, typer.Option(help="The reason, which is kept")]


@app.command("list")
def list_prompts(context: typer.Context, tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """List a tenant's prompts with where their labels point."""
    from mainspring.features.prompts.routes import prompt_body
    from mainspring.stores.sql.pages import Page

    async def work(opened: Stores) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more, after = True, None
        while more:
            page = await opened.prompts.page(tenant, Page(100, "asc", after))
            found += [prompt_body(each) for each in page.rows]
            more, after = page.more, found[-1]["id"] if found else None
        return found

    rows = _run(context, work)
    if as_json:
        show.as_json(rows)
    elif not rows:
        print("No prompts yet: `mainspring prompts add NAME FILE` adds one.")
    else:
        labels = [", ".join(f"{name}={at['version']}" for name, at in row["labels"].items()) or "-" for row in rows]
        cells = [[row["id"], row["latest"], row["count"], at] for row, at in zip(rows, labels, strict=True)]
        show.table(["name", "latest", "versions", "labels"], cells)


@app.command("show")
def show_prompt(
    context: typer.Context,
    name: Name,
    version: Annotated[str, typer.Argument(help="A version's number or a label; none: list the versions")] = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show the versions of a prompt, or the text of one."""
    from mainspring.features.prompts.routes import prompt_body, version_body

    async def work(opened: Stores) -> dict[str, Any]:
        if version:
            return version_body(await opened.prompts.find(tenant, name, version))
        versions = [version_body(each, text=False) for each in await opened.prompts.versions(tenant, name)]
        return prompt_body(await opened.prompts.get(tenant, name)) | {"versions": versions}

    found = _run(context, work)
    if as_json:
        show.as_json(found)
    elif version:
        for message in found["messages"]:
            print(show.printable(f"[{message['role']}]\n{message['content']}"))
    else:
        at: dict[int, list[str]] = {}
        for label, place in found["labels"].items():
            at.setdefault(place["version"], []).append(label)
        cells = [
            [
                each["version"],
                ", ".join(at.get(each["version"], ())) or "-",
                each["author"] or "-",
                ", ".join(each["variables"]) or "-",
                "deleted" if each["deleted_at"] else each["note"],
            ]
            for each in found["versions"]
        ]
        show.table(["version", "labels", "author", "variables", "note"], cells)


@app.command()
def add(
    context: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(help="The text of a system message, or messages as JSON; - reads stdin")],
    note: Note = "",
    label: Annotated[str, typer.Option(help="Move this label to it")] = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Add a version of a prompt. If the latest version has the same text, none is added."""
    from mainspring.features.prompts.routes import version_body
    from mainspring.serving.prompts.registry import PromptRegistry, check_label

    messages = _read(file)
    if label:
        check_label(label)

    async def work(opened: Stores) -> dict[str, Any]:
        made, created = await PromptRegistry(opened.prompts).add(tenant, name, messages, note=note, author=AUTHOR)
        if label:
            await opened.prompts.move(tenant, name, label, made.version, note=note, author=AUTHOR)
        return version_body(made) | {"created": created}

    made = _run(context, work)
    if as_json:
        show.as_json(made)
    else:
        said = "is added" if made["created"] else "says the same: nothing is added"
        print(f"{made['id']} {said}{f', and {label} points to it' if label else ''}.")


@app.command("label")
def move_label(
    context: typer.Context,
    name: Name,
    label: Label,
    version: Annotated[int, typer.Argument(min=1, help="The version to point to")],
    note: Note = "",
    seen: Annotated[int | None, typer.Option(min=0, help="Refuse if its revision has changed")] = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Point a label to a version. Running servers use it within a second."""
    from mainspring.serving.prompts.registry import check_label

    check_label(label)
    _tell(
        name,
        _run(context, lambda o: o.prompts.move(tenant, name, label, version, seen=seen, note=note, author=AUTHOR)),
        as_json,
    )


@app.command()
def rollback(
    context: typer.Context,
    name: Name,
    label: Label,
    note: Note = "",
    seen: Annotated[int | None, typer.Option(min=0, help="Refuse if its revision has changed")] = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Undo the last move of a label."""
    rolled = _run(context, lambda o: o.prompts.rollback(tenant, name, label, seen=seen, note=note, author=AUTHOR))
    _tell(name, rolled, as_json)


@app.command()
def diff(
    context: typer.Context,
    name: Name,
    before: Annotated[str, typer.Argument(help="A version's number or a label")],
    after: Annotated[str, typer.Argument(help="Another version or label")] = "latest",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show what changed from one version to another."""
    from mainspring.features.prompts.routes import diff_body

    async def work(opened: Stores) -> dict[str, Any]:
        find = opened.prompts.find
        return diff_body(await find(tenant, name, before), await find(tenant, name, after))

    found = _run(context, work)
    if as_json:
        show.as_json(found)
        return
    print(show.printable(found["diff"] or "They say the same."))
    for kind in ("added", "removed"):
        if names := found[f"variables_{kind}"]:
            print(f"variables {kind}: {', '.join(names)}")


@app.command()
def delete(
    context: typer.Context,
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="Only this version")] = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Delete the texts of a prompt, or of one version. This is refused while a label points to it."""
    count = _run(context, lambda opened: opened.prompts.delete(tenant, name, version))
    text = f"{count} version{'' if count == 1 else 's'} of {name} {'is' if count == 1 else 'are'} deleted."
    show.done(text, {"name": name, "deleted": count}, as_json)


def _tell(name: str, move: Move, as_json: bool) -> None:
    text = f"{name}: {move.label} points to version {move.version} (revision {move.revision})."
    facts = {"name": name, "label": move.label, "version": move.version, "revision": move.revision}
    show.done(text, facts, as_json)


def _read(file: Path) -> tuple[Message, ...]:
    import json

    from mainspring.core.types import Message

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"there is no {file}", remedy="Usage: mainspring prompts add NAME FILE") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{file} is not text in UTF-8") from None
    if file.suffix != ".json":
        return (Message("system", text.rstrip("\n")),)
    try:
        return tuple(Message(each["role"], each["content"]) for each in json.loads(text))
    except (ValueError, TypeError, KeyError):
        raise InvalidRequest(
            f"{file} is not a list of messages", remedy='Write [{"role": "system", "content": "..."}]'
        ) from None


def _run(context: typer.Context, work: Callable[[Stores], Awaitable[Any]]) -> Any:
    async def within() -> Any:
        from mainspring import stores
        from mainspring.core.settings import load

        async with stores.open(load(context.obj).settings) as opened:
            return await work(opened)

    return asyncio.run(within())


COMMANDS = (Command("prompts", app, MODELS),)
