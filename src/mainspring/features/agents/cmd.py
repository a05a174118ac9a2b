"""``mainspring agents``: the agents of a running server; save, ask and delete them, and draft their playbooks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mainspring.command import START, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server, ServerLacks

app = typer.Typer(help="List, show, save and ask agents of a running server; draft playbooks.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Name = Annotated[str, typer.Argument(help="The agent's name, from `mainspring agents list`")]


@app.command("list")
def list_agents(context: typer.Context, as_json: AsJson = False) -> None:
    """List the served agents."""
    server, found = Server.of(context), list[dict[str, Any]]()
    more, after = True, ""
    while more:
        page = server.call("GET", f"/v1/agents?limit=100{after}")
        found += page["data"]
        more, after = page["has_more"], f"&after={quote(found[-1]['id'], safe='')}" if found else ""
    if as_json:
        show.as_json(found)
    elif not found:
        print(
            "No agents yet: `mainspring agents save FILE` adds one, and so do agents.definitions in the configuration."
        )
    else:
        rows = [(each["id"], each["source"], str(each["version"]), each["description"][:80]) for each in found]
        show.table(("NAME", "SOURCE", "VERSION", "DESCRIPTION"), rows)


@app.command("show")
def show_agent(context: typer.Context, name: Name) -> None:
    """Show an agent with its definition, as JSON."""
    show.as_json(Server.of(context).call("GET", f"/v1/agents/{quote(name, safe='')}"))


@app.command()
def save(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A definition in YAML or JSON, with its `name`", exists=True, dir_okay=False)
    ],
    note: Annotated[str, typer.Option(help="What is new in this version")] = "",
    as_json: AsJson = False,
) -> None:
    """Add an agent from a file, or a new version of it. It is served at once."""
    definition = _definition(file)
    name, server = definition["name"], Server.of(context)
    body = {"definition": definition, "note": note}
    try:
        made = server.call("POST", f"/v1/agents/{quote(name, safe='')}", body)
    except ServerLacks:
        made = server.call("POST", "/v1/agents", body)
    show.done(
        f'{name} is served, version {made["version"]}: `mainspring agents run {name} "..."` asks it.', made, as_json
    )


def _definition(file: Path) -> dict[str, Any]:
    """The definition in a file. Raises ``BadParameter`` for what is none."""
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        said = getattr(error, "problem", None) or type(error).__name__
        raise typer.BadParameter(f"{file} is no YAML{where}: {said}", param_hint="file") from None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str) or not found["name"]:
        raise typer.BadParameter(f"{file} needs the fields of an agent, and its `name`", param_hint="file")
    return found


@app.command()
def delete(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Delete an agent with all its versions."""
    found = Server.of(context).call("DELETE", f"/v1/agents/{quote(name, safe='')}")
    show.done(f"{name} is deleted.", found, as_json)


@app.command()
def run(
    context: typer.Context,
    name: Name,
    question: Annotated[str, typer.Argument(help="The question; without one, standard input")] = "",
    session: Annotated[str, typer.Option(help="Continue this session")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask an agent, and print its steps and its answer."""
    said = question or sys.stdin.read()
    body: dict[str, Any] = {"model": name, "messages": [{"role": "user", "content": said}]}
    if session:
        body["session_id"] = session
    answer = _long(Server.of(context), "/v1/chat/completions", body)
    if as_json:
        show.as_json(answer)
        return
    message = answer["choices"][0]["message"]
    for notice in message.get("notices", []):
        print(show.printable(f"{notice['code']}: {notice['text']}"), file=sys.stderr)
    print(show.written(message["content"] or ""))


@app.command()
def draft(
    context: typer.Context,
    brief: Annotated[str, typer.Argument(help='"company, role, scope"')],
    model: Annotated[str, typer.Option(help="The model that writes; default: the default model")] = "",
    save: Annotated[str, typer.Option(help="Add it to the registry of prompts under this name")] = "",
    as_json: AsJson = False,
) -> None:
    """Draft the playbook of an agent: a model writes it, and checks follow."""
    parts = [each.strip() for each in brief.split(",", 2)]
    if len(parts) < 3 or not all(parts):
        raise typer.BadParameter('write "company, role, scope"', param_hint="brief")
    server = Server.of(context)
    asked = {"company": parts[0], "role": parts[1], "scope": parts[2], "model": model}
    found = _long(server, "/v1/agents/draft", asked)
    if save:
        body = {"template": found["playbook"], "note": f"drafted: {brief}"}
        made = server.call("POST", f"/v1/prompts/{quote(save, safe='')}/versions", body)
        found["prompt"] = f"{save}@{made['version']}"
    if as_json:
        show.as_json(found)
        return
    print(found["playbook"])
    if save:
        print(f"\nIt is {found['prompt']} in the registry: `playbook: {found['prompt']}` uses it.", file=sys.stderr)


def _long(server: Server, path: str, body: dict[str, Any]) -> Any:
    """The answer to a request that may take minutes."""
    with server.opened("POST", path, body) as answer:
        return json.load(answer)


COMMANDS = (Command("agents", app, START),)
