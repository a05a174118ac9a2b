"""``mainspring content``: articles of a running server: have them written, look at them, approve, revise, export."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from mainspring.command import DOCUMENTS, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Write articles from documents, approve and export them.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Article = Annotated[str, typer.Argument(help="Its id, from `mainspring content list`")]
Note = Annotated[str, typer.Option("--note", help="The reason")]
_PATH = "/v1/content/articles"
_LOOK_S = 0.5


@app.command()
def write(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(help="The topic")],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", help="A collection as source; default: all")
    ] = None,
    kind: Annotated[
        Literal["article", "blog", "guide", "report", "faq", "news"], typer.Option("--kind", help="The kind of text")
    ] = "article",
    length: Annotated[Literal["short", "medium", "long"], typer.Option("--length", help="The length")] = "medium",
    question: Annotated[
        list[str] | None, typer.Option("--question", help="A question that the article must answer")
    ] = None,
    keyword: Annotated[list[str] | None, typer.Option("--keyword", help="A keyword for search engines")] = None,
    web: Annotated[bool | None, typer.Option("--web/--no-web", help="Search the web, too")] = None,
    approval: Annotated[bool, typer.Option("--approval", help="Wait until the plan is approved")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for it")] = False,
    as_json: AsJson = False,
) -> None:
    """Write an article and print it. The server continues if you stop this command."""
    server = Server.of(context)
    brief = {"topic": topic, "collections": collection or [], "kind": kind, "length": length, "web": web}
    brief |= {"questions": question or [], "keywords": keyword or [], "approval": approval}
    made = server.call("POST", _PATH, brief)
    stage = ""
    while not detach and made["status"] in ("queued", "running"):
        time.sleep(_LOOK_S)
        made = server.call("GET", f"{_PATH}/{made['id']}")
        if made["stage"] != stage and not as_json:
            stage = made["stage"]
            print(f"{stage} ...", file=sys.stderr)
    if as_json:
        show.as_json(made)
    elif made["status"] == "completed":
        print(_exported(server, made["id"], "markdown", None).decode(), end="")
    else:
        _told(made)


@app.command("list")
def list_articles(context: typer.Context, as_json: AsJson = False) -> None:
    """List the latest hundred articles."""
    found = Server.of(context).call("GET", f"{_PATH}?limit=100")["data"]
    if as_json:
        show.as_json(found)
    elif found:
        rows = [(each["id"], each["status"], str(each["version"]), each["brief"]["topic"][:80]) for each in found]
        show.table(("ID", "STATUS", "VERSION", "TOPIC"), rows)
    else:
        print('No articles: `mainspring content write "TOPIC"` has one written.')


@app.command("show")
def show_article(context: typer.Context, article: Article, as_json: AsJson = False) -> None:
    """Show the status of an article: its plan, its figures, and remarks for its author."""
    found = Server.of(context).call("GET", f"{_PATH}/{quote(article, safe='')}")
    if as_json:
        show.as_json(found)
    else:
        _told(found)


@app.command()
def approve(context: typer.Context, article: Article, note: Note = "", as_json: AsJson = False) -> None:
    """Approve the plan of an article: then it is researched and written."""
    found = Server.of(context).call("POST", f"{_PATH}/{quote(article, safe='')}/approve", {"note": note})
    show.done(f"The plan of {article} is approved.", found, as_json)


@app.command()
def deny(context: typer.Context, article: Article, note: Note = "", as_json: AsJson = False) -> None:
    """Deny the plan of an article: nothing is researched."""
    found = Server.of(context).call("POST", f"{_PATH}/{quote(article, safe='')}/deny", {"note": note})
    show.done(f"The plan of {article} is denied.", found, as_json)


@app.command()
def revise(
    context: typer.Context,
    article: Article,
    section: Annotated[int, typer.Argument(help="Its number, from 1")],
    instruction: Annotated[str, typer.Argument(help="The instruction, such as: make it shorter")],
    as_json: AsJson = False,
) -> None:
    """Change one section; the earlier version is kept."""
    body = {"section": section, "instruction": instruction}
    found = Server.of(context).call("POST", f"{_PATH}/{quote(article, safe='')}/revise", body)
    show.done(f"{article} has version {found['number']}.", found, as_json)


@app.command()
def export(
    context: typer.Context,
    article: Article,
    format: Annotated[  # noqa: A002
        Literal["markdown", "html", "docx"], typer.Option("--format", help="The file format")
    ] = "markdown",
    version: Annotated[int | None, typer.Option("--version", help="Default: the newest")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A file; without one, it is printed")] = None,
) -> None:
    """Write an article to a file, with its numbered sources."""
    if out is None and format == "docx":
        raise typer.BadParameter("a Word document needs a file: --out NAME.docx")
    data = _exported(Server.of(context), article, format, version)
    if out is None:
        print(data.decode(), end="")
    else:
        out.write_bytes(data)
        print(f"{out} is written.")


def _exported(server: Server, article: str, kind: str, version: int | None) -> bytes:
    which = "" if version is None else f"&version={version}"
    with server.opened("GET", f"{_PATH}/{quote(article, safe='')}/export?format={kind}{which}") as answer:
        data: bytes = answer.read()
    return data


def _told(found: dict[str, Any]) -> None:
    print(show.printable(f"{found['id']}  {found['status']}" + (f"  {found['error']}" if found["error"] else "")))
    for number, each in enumerate((found["plan"] or {"sections": []})["sections"], 1):
        print(show.printable(f"  {number}. {each['heading']}: {'; '.join(each['questions'])}"))
    if found["status"] == "plan_pending":
        print(f"Approve the plan with `mainspring content approve {found['id']}`.")
    if "content" in found:
        print(", ".join(f"{name} {value}" for name, value in found["content"]["figures"].items()))
        for each in found["content"]["article"]["remarks"]:
            print(show.printable(f"- {each['text']}"))


COMMANDS = (Command("content", app, DOCUMENTS),)
