"""``mainspring models``: list the catalogue and this machine's models; pull, show and remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core.errors import MainspringError, ModelError, ModelNotPulled
from mainspring.terminal import complete, show
from mainspring.terminal.pulling import go_on_without

if TYPE_CHECKING:
    from mainspring.engines.catalogue.entries import ModelEntry
    from mainspring.engines.catalogue.pull import PulledModel, Puller

app = typer.Typer(help="List, pull, show and remove models.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Name = Annotated[
    str,
    typer.Argument(help="Name in the catalogue (`mainspring models list`)", autocompletion=complete.models),
]


@app.command("list")
def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the catalogue, and the models on this machine."""
    puller = _puller(context)
    states = [(entry, _state(puller, entry.name)) for entry in puller.catalogue]
    if as_json:
        show.as_json([{**_facts(entry), "state": state} for entry, state in states])
        return
    rows = [
        (entry.name, entry.kind, _megabytes(entry.size_bytes), entry.license, state, entry.description)
        for entry, state in states
    ]
    show.table(("NAME", "KIND", "SIZE", "LICENCE", "STATE", "DESCRIPTION"), rows)


@app.command()
def pull(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models", show_default="those that are configured", autocompletion=complete.models),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch and convert existing models again")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch, verify, convert and check models."""
    from mainspring.core.settings import load

    puller = _puller(context)
    settings = load(context.obj).settings
    done = []
    for name in names or settings.local_models:
        try:
            with show.progress() as progress:
                done.append(puller.pull(name, progress, force=force))
        except MainspringError as error:
            if names:
                raise
            go_on_without(name, settings, error)
            continue
        if not as_json:
            for line in _report(done[-1]):
                print(line)
    if as_json:
        show.as_json([_pulled_facts(one) for one in done])


@app.command("show")
def show_model(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show a model's entry and, if it is pulled, its files and checks."""
    puller = _puller(context)
    entry = puller.catalogue.get(name)
    state = _state(puller, name)
    facts = {**_facts(entry), "state": state}
    if state == "pulled":
        facts |= _pulled_facts(puller.local(name))
    if as_json:
        show.as_json(facts)
    else:
        show.table(("FIELD", "VALUE"), [(key, _shown(value)) for key, value in facts.items()])


@app.command("grade")
def grade_model(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Measure whether a chat model may write answers over documents, and store the grade with the model."""
    import asyncio
    from dataclasses import asdict

    from mainspring.cli.models.grade import graded

    found, kept = asyncio.run(graded(context.obj, name))
    if as_json:
        show.as_json({**asdict(found), "grounded": found.grounded, "kept": kept})
        return
    show.table(("FIGURE", "VALUE"), [(key, str(value)) for key, value in asdict(found).items() if key != "fingerprint"])
    what = "may write answers over documents" if found.grounded else "does not write answers over documents by itself"
    where = "" if kept else "; its settings must say so, because it does not run on this machine"
    print(f"{name} {what}{where}")


@app.command()
def verify(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Compare every file of a pulled model with its sha256."""
    found = _puller(context).verify(name)
    text = f"{name} is whole: every file has the hash that its manifest names."
    show.done(text, _pulled_facts(found), as_json)


@app.command()
def remove(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Delete a model's files from this machine."""
    freed = _puller(context).remove(name)
    if as_json:
        show.as_json({"name": name, "freed_bytes": freed})
    else:
        print(f"{name} removed, {_megabytes(freed)} freed")


def _puller(context: typer.Context) -> Puller:
    from mainspring.core.settings import load
    from mainspring.engines.catalogue.pull import Puller

    return Puller(load(context.obj).settings)


def _state(puller: Puller, name: str) -> str:
    try:
        puller.local(name)
    except ModelNotPulled:
        return "not pulled"
    except ModelError:
        return "damaged"
    return "pulled"


def _facts(entry: ModelEntry) -> dict[str, Any]:
    facts = entry.model_dump(mode="json", exclude_defaults=True)
    return {"name": entry.name, "kind": entry.kind, "size_bytes": entry.size_bytes, **facts}


def _pulled_facts(pulled: PulledModel) -> dict[str, Any]:
    manifest = pulled.manifest
    return {
        "name": pulled.entry.name,
        "directory": str(pulled.directory),
        "fingerprint": pulled.fingerprint,
        "roles": {role: str(path) for role, path in pulled.files.items()},
        "checked": manifest.get("checked", {}),
        "sources_sha256": manifest.get("sources", {}),
        "seconds": manifest.get("seconds", {}),
    }


def _report(pulled: PulledModel) -> list[str]:
    size = sum(file["bytes"] for file in pulled.manifest["files"].values())
    lines = [f"{pulled.entry.name} is in {pulled.directory} ({_megabytes(size)}, {pulled.entry.license})"]
    checked = pulled.manifest.get("checked", {})
    if "perplexity" in checked:
        against = f"reference {checked['reference']:.2f}" if checked["reference"] else "no reference known"
        lines.append(f"  perplexity {checked['perplexity']:.2f}, {against}")
    pinned = [name for name, source in pulled.manifest["sources"].items() if source["checked"] == "first use"]
    if pinned:
        lines.append(f"  trusted on first use, sha256 pinned now: {', '.join(pinned)}")
    return lines


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_shown(inner) for inner in value)
    return " ".join(str(value).split())
