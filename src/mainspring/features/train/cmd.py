"""``mainspring train``: train by a recipe, at a running server or in this home; jobs and versions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from mainspring.command import QUALITY, Command, whole_opener
from mainspring.core.errors import InvalidRequest
from mainspring.features.train.commands import jobs, run_report, versions
from mainspring.features.train.commands.step_line import StepLine
from mainspring.terminal import named_commands, named_values, show
from mainspring.terminal.remote import Server, running_server

if TYPE_CHECKING:
    from mainspring.features.train.local_training import Told
    from mainspring.training.ports import Order


class Recipes(named_commands.Group):
    """``train NAME`` runs the recipe NAME, unless NAME is one of the commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if known else ["run", *args])


app = typer.Typer(
    help="Train models, prompts and thresholds on your own data, and serve them.", no_args_is_help=True, cls=Recipes
)
app.add_typer(jobs.app)
app.add_typer(versions.app)
_EVERY_S = 1.0
_OVER = ("succeeded", "failed", "cancelled", "paused")


@app.command("run")
def run(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="One of `mainspring train recipes`", metavar="RECIPE")],
    data: Annotated[Path | None, typer.Option(help="Folder with train.jsonl, or one such file")] = None,
    export: Annotated[str, typer.Option(help="An export of the lake (format trl)")] = "",
    base: Annotated[str, typer.Option(help="The base: a model of the catalogue, or a version")] = "",
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the recipe; repeat for more")] = None,
    name: Annotated[str, typer.Option(help="The name of the new version")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers")] = 0,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Time limit: the run then ends with its best checkpoint")
    ] = None,
    usd: Annotated[float | None, typer.Option(help="Cost limit, at the machine's price")] = None,
    night: Annotated[bool, typer.Option("--night", help="Run only at night (train.night)")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the new version (on a server)")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for its end (on a server)")] = True,
    as_json: run_report.AsJson = False,
) -> None:
    """Train by a recipe: `mainspring train RECIPE --data FOLDER`.

    With MAINSPRING_API_KEY it runs on a server, otherwise in this home. After a stop there (Ctrl-C), the same command
    resumes the run.
    """
    from mainspring.training.ports import Order

    if (data is None) == (not export):
        raise InvalidRequest("name the data with --data or --export", param="data")
    options = named_values.read(option or (), "option")
    order = Order(recipe, options, export, None, base, name, seed, seconds, usd, night, serve=serve)
    server = running_server(context)
    if serve and not server:
        raise InvalidRequest(
            "no model is served here", remedy="Name a running server with MAINSPRING_API_KEY", param="serve"
        )
    progress = StepLine(quiet=as_json)
    made = _at(server, order, data, wait, progress) if server else _here(context, order, data, progress)
    progress.end()
    run_report.tell(made, as_json)


@app.command("recipes")
def list_recipes(
    recipe: Annotated[str, typer.Argument(help="Show the options of this recipe", show_default=False)] = "",
    as_json: run_report.AsJson = False,
) -> None:
    """List the recipes, or show the options of one."""
    from mainspring.features.train.shapes import recipe_body
    from mainspring.training import recipes

    if recipe:
        body = recipe_body(recipes.find(recipe))
        if as_json:
            show.as_json(body)
            return
        print(show.printable(f"{recipe}: {body['summary']} It reads {', '.join(body['reads'])}.\n"))
        fields = body["options"].get("properties", {})
        cells = [(each, told.get("default", ""), told.get("description", "")) for each, told in fields.items()]
        show.table(("OPTION", "DEFAULT", "WHAT"), cells)
        return
    found = [recipe_body(each) for each in recipes.every().values()]
    if as_json:
        show.as_json(found)
        return
    rows = [(e["id"], e["makes"], ", ".join(e["reads"]), ", ".join(e["bases"]), e["summary"]) for e in found]
    show.table(("RECIPE", "MAKES", "READS", "FROM", "WHAT"), rows)


@app.command("bases")
def list_bases(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="Only what this recipe can start from", show_default=False)] = "",
    option: Annotated[str, typer.Option(help="What this option of the recipe can name, such as teacher")] = "",
    as_json: run_report.AsJson = False,
) -> None:
    """List the pulled models and the versions that training can start from."""
    asked = {name: value for name, value in (("recipe", recipe), ("option", option)) if value}
    found = (
        server.call("GET", f"/v1/training/bases?{urlencode(asked)}")
        if (server := running_server(context))
        else _bases_here(context, recipe, option)
    )
    if as_json:
        show.as_json(found)
        return
    cells = [(each["id"], each["kind"], ", ".join(each["recipes"])) for each in found["data"]]
    show.table(("BASE", "KIND", "FOR"), cells)
    if not cells or found["has_more"]:
        print("There are more, older ones." if cells else f"There is none of the kind {' or '.join(found['kinds'])}.")


@app.command("plan")
def plan(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="One of `mainspring train recipes`")],
    base: Annotated[str, typer.Option(help="The base: a model of the catalogue, or a version")] = "",
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the recipe; repeat for more")] = None,
    as_json: run_report.AsJson = False,
) -> None:
    """Plan the memory of a run before it starts."""
    options, server = named_values.read(option or (), "option"), running_server(context)
    found = (
        server.call("POST", "/v1/training/plan", {"recipe": recipe, "options": options, "base": base})
        if server
        else (_planned_here(context, recipe, options, base))
    )
    if as_json:
        show.as_json(found)
        return
    cells = [(name, "not planned" if value is None else _megabytes(value)) for name, value in found["bytes"].items()]
    print(
        f"{found['parameters']:,} parameters, {found['trained']:,} of them trained, {found['processes']} process(es)\n"
    )
    show.table(("OF EACH PROCESS", "MB"), cells)
    without = f" without {' and '.join(found['not_counted'])}" if found["not_counted"] else ""
    fits = "fits into" if found["fits"] else "does NOT fit into"
    limit = _megabytes(found["limit_bytes"])
    print(f"\n{_megabytes(found['total_bytes'])} MB in all{without}, which {fits} the {limit} MB of a run here.")
    for note in found["notes"]:
        print(show.printable(f"- {note}"))


def _at(server: Server, order: Order, data: Path | None, wait: bool, progress: StepLine) -> dict[str, Any]:
    body: dict[str, Any] = {"recipe": order.recipe, "options": dict(order.options), "base": order.base}
    body |= {"suffix": order.suffix, "seed": order.seed, "seconds": order.seconds, "usd": order.usd}
    body |= {"night": order.night, "export": order.export, "serve": order.serve}
    if data is not None:
        found = {"training_file": data} if data.is_file() else _sides(data)
        body |= {side: server.upload(path, "fine-tune")["id"] for side, path in found.items()}
    made: dict[str, Any] = server.call("POST", "/v1/training/jobs", body)
    while wait and made["status"] not in _OVER:
        progress(made["status"], made["step"], made["figures"], made["seconds"])
        time.sleep(_EVERY_S)
        made = server.call("GET", f"/v1/training/jobs/{made['id']}")
    return made


def _sides(folder: Path) -> dict[str, Path]:
    named = {"training_file": "train", "validation_file": "validation", "test_file": "test"}
    found = {field: folder / f"{side}.jsonl" for field, side in named.items()}
    if not found["training_file"].exists():
        raise InvalidRequest(
            f"{folder} has no train.jsonl", remedy="Put a JSON object on each line of it", param="data"
        )
    return {field: path for field, path in found.items() if path.exists()}


def _here(context: typer.Context, order: Order, data: Path | None, progress: StepLine) -> dict[str, Any]:
    import asyncio

    from mainspring.core.settings import load
    from mainspring.features.train import local_training

    settings = load(context.obj).settings
    told: Told = progress
    return asyncio.run(local_training.train(settings, order, data, told, whole_opener(context)))


def _planned_here(context: typer.Context, recipe: str, options: dict[str, Any], base: str) -> dict[str, Any]:
    import asyncio

    from mainspring.core.settings import load
    from mainspring.features.train import local_training

    settings = load(context.obj).settings
    return asyncio.run(local_training.plan(settings, recipe, options, base, whole_opener(context)))


def _bases_here(context: typer.Context, recipe: str, option: str) -> dict[str, Any]:
    import asyncio

    from mainspring.core.settings import load
    from mainspring.features.train import local_training

    settings = load(context.obj).settings
    return asyncio.run(local_training.bases(settings, recipe, option, whole_opener(context)))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f}"


COMMANDS = (Command("train", app, QUALITY),)
