"""``mainspring train``: train by a recipe, at a running server or in this home; jobs and versions."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import QUALITY, Command, whole_opener
from mainspring.core.errors import InvalidRequest
from mainspring.features.train.step_line import StepLine
from mainspring.terminal import named_commands, show
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
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
JobId = Annotated[str, typer.Argument(help="Its id, from `mainspring train jobs`")]
Label = Annotated[str, typer.Argument(help="NAME@NUMBER, or NAME for the newest")]
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
    as_json: AsJson = False,
) -> None:
    """Train by a recipe: `mainspring train RECIPE --data FOLDER`.

    With MAINSPRING_API_KEY it runs on a server, otherwise in this home. After a stop there (Ctrl-C), the same command
    resumes the run.
    """
    from mainspring.training.ports import Order

    if (data is None) == (not export):
        raise InvalidRequest("name the data with --data or --export", param="data")
    order = Order(recipe, _options(option or []), export, None, base, name, seed, seconds, usd, night, serve=serve)
    server = running_server(context)
    if serve and not server:
        raise InvalidRequest(
            "no model is served here", remedy="Name a running server with MAINSPRING_API_KEY", param="serve"
        )
    progress = StepLine(quiet=as_json)
    made = _at(server, order, data, wait, progress) if server else _here(context, order, data, progress)
    progress.end()
    _tell(made, as_json)


@app.command("recipes")
def list_recipes(
    recipe: Annotated[str, typer.Argument(help="Show the options of this recipe", show_default=False)] = "",
    as_json: AsJson = False,
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
    as_json: AsJson = False,
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
    as_json: AsJson = False,
) -> None:
    """Plan the memory of a run before it starts."""
    options, server = _options(option or []), running_server(context)
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


@app.command("jobs")
def list_jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the latest hundred jobs of a server."""
    found = Server.of(context).call("GET", "/v1/training/jobs?limit=100")
    if as_json:
        show.as_json(found)
        return
    cells = [
        (e["id"], e["recipe"], e["status"], e["step"], f"{e['seconds']:.0f} s", e["version"] or "")
        for e in found["data"]
    ]
    show.table(("JOB", "RECIPE", "STATUS", "STEP", "WORKED", "VERSION"), cells)


@app.command("show")
def show_one(
    context: typer.Context,
    which: Annotated[str, typer.Argument(help="A job's id, or a version: NAME or NAME@NUMBER")],
    as_json: AsJson = False,
) -> None:
    """Show a job, or the card of a version, of a server."""
    server = Server.of(context)
    if which.startswith("ftjob-"):
        found = server.call("GET", _path("jobs", which))
        events = server.call("GET", _path("jobs", which, "/events"))["data"]
        if as_json:
            show.as_json({**found, "events": events})
            return
        _tell(found, as_json)
        for each in events:
            print(show.printable(f"  {time.strftime('%H:%M:%S', time.localtime(each['at']))}  {each['message']}"))
        return
    found = server.call("GET", _path("versions", which))
    if as_json:
        show.as_json(found)
        return
    with server.opened("GET", _path("versions", which, "/card")) as answer:
        print(show.printable(answer.read().decode()), end="")


@app.command("cancel")
def cancel(context: typer.Context, job: JobId, as_json: AsJson = False) -> None:
    """Cancel a job of a server for good."""
    found = Server.of(context).call("POST", _path("jobs", job, "/cancel"))
    show.done(f"{job} stops.", found, as_json)


@app.command("pause")
def pause(context: typer.Context, job: JobId, as_json: AsJson = False) -> None:
    """Pause a job of a server after a checkpoint."""
    found = Server.of(context).call("POST", _path("jobs", job, "/pause"))
    show.done(f"{job} pauses after a checkpoint.", found, as_json)


@app.command("resume")
def resume(context: typer.Context, job: JobId, as_json: AsJson = False) -> None:
    """Resume a job that was paused or has failed from its checkpoint."""
    found = Server.of(context).call("POST", _path("jobs", job, "/resume"))
    show.done(f"{job} goes on.", found, as_json)


@app.command("versions")
def list_versions(context: typer.Context, as_json: AsJson = False) -> None:
    """List the latest hundred versions of a server."""
    found = Server.of(context).call("GET", "/v1/training/versions?limit=100")
    if as_json:
        show.as_json(found)
        return
    cells = [(e["id"], e["makes"], e["recipe"], e["base"], e["served"], e["stale"]) for e in found["data"]]
    show.table(("VERSION", "MAKES", "RECIPE", "BASE", "SERVED", "STALE"), [[c or "" for c in row] for row in cells])


@app.command("serve")
def serve(context: typer.Context, version: Label, as_json: AsJson = False) -> None:
    """Convert a version, compare it with the trained weights, and serve it."""
    with Server.of(context).opened("POST", _path("versions", version, "/serve")) as answer:
        found = json.load(answer)
    show.done(f"{found['id']} answers as the model {found['served']}.", found, as_json)


@app.command("withdraw")
def withdraw(context: typer.Context, version: Label, as_json: AsJson = False) -> None:
    """Take a version out of service for good."""
    found = Server.of(context).call("POST", _path("versions", version, "/withdraw"))
    show.done(f"{found['id']} answers no more.", found, as_json)


@app.command("delete")
def delete(
    context: typer.Context,
    which: Annotated[str, typer.Argument(help="A job's id that is over, or a version: NAME@NUMBER")],
    as_json: AsJson = False,
) -> None:
    """Delete a job that is over, or a version, of a server with its files."""
    of = "jobs" if which.startswith("ftjob-") else "versions"
    if of == "versions" and "@" not in which:
        raise InvalidRequest(f"{which} names no single version", remedy="Write NAME@NUMBER", param="which")
    found = Server.of(context).call("DELETE", _path(of, which))
    show.done(f"{found['id']} is deleted.", found, as_json)


@app.command("adopt")
def adopt(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of a run, or as save_pretrained writes it", metavar="FOLDER")],
    base: Annotated[str, typer.Option(help="The base that it was trained on; default: as its files say")] = "",
    name: Annotated[str, typer.Option(help="The name of the new version")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder with its rows or their manifest.json")] = None,
    recipe: Annotated[str, typer.Option(help="How it was trained; default: as its files say")] = "",
    licence: Annotated[str, typer.Option(help="Its licence; default: that of its base")] = "",
    figure: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER, measured elsewhere; repeat for more")] = None,
    tenant: Annotated[str, typer.Option(help="The tenant that it is for")] = "default",
    as_json: AsJson = False,
) -> None:
    """Take the result of a training elsewhere into the versions of this home, with a card."""
    import asyncio

    from mainspring.core.settings import load
    from mainspring.features.train import local_training
    from mainspring.features.train.adopting import Adoption

    figures = _options(figure or [])
    if wrong := [
        each for each, value in figures.items() if isinstance(value, bool) or not isinstance(value, int | float)
    ]:
        raise InvalidRequest(f"the figure {wrong[0]} is no number", remedy="Write NAME=NUMBER", param="figure")
    progress = StepLine(quiet=as_json)
    given = Adoption(folder, base, name, data, recipe, licence, figures)
    settings = load(context.obj).settings
    made = asyncio.run(local_training.adopt(settings, given, tenant, progress, whole_opener(context)))
    progress.end()
    _tell(made, as_json)


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


def _path(of: str, which: str, what: str = "") -> str:
    return f"/v1/training/{of}/{quote(which, safe='')}{what}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f}"


def _tell(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show.as_json(made)
    else:
        error = (made["error"] or {}).get("message", "")
        version = f" It made {made['version']}." if made["version"] else ""
        print(
            show.printable(f"{made['id']} ({made['recipe']}) has the status {made['status']}.{version} {error}".strip())
        )
        if made.get("card"):
            _measured(made)
    if made["status"] == "failed":
        raise typer.Exit(show.FAILED)


def _measured(made: dict[str, Any]) -> None:
    """The figures of a version that was made here, and where its card lies."""
    cells = [
        (each["name"], *("" if each[side] is None else f"{each[side]:.4g}" for side in ("before", "after")))
        for each in made["measured"]
    ]
    if cells:
        show.table(("FIGURE", "BEFORE", "AFTER"), cells)
    print(show.printable(f"Its card: {made['card']}"))


def _options(given: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise InvalidRequest(f"{each!r} is not an option", remedy="Write NAME=VALUE", param="option")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


COMMANDS = (Command("train", app, QUALITY),)
