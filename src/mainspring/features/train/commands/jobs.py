"""``mainspring train jobs`` and what is done with one: show it, its log and its samples; stop it, and go on."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from mainspring.features.train.commands import run_report
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer()


@app.command("jobs")
def list_jobs(context: typer.Context, as_json: run_report.AsJson = False) -> None:
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
    as_json: run_report.AsJson = False,
) -> None:
    """Show a job, or the card of a version, of a server."""
    server = Server.of(context)
    if which.startswith("ftjob-"):
        found = server.call("GET", run_report.path("jobs", which))
        events = server.call("GET", run_report.path("jobs", which, "/events"))["data"]
        if as_json:
            show.as_json({**found, "events": events})
            return
        _tell(found)
        for each in events:
            print(show.printable(f"  {time.strftime('%H:%M:%S', time.localtime(each['at']))}  {each['message']}"))
        return
    found = server.call("GET", run_report.path("versions", which))
    if as_json:
        show.as_json(found)
        return
    with server.opened("GET", run_report.path("versions", which, "/card")) as answer:
        print(show.printable(answer.read().decode()), end="")


@app.command("log")
def show_log(
    context: typer.Context,
    job: run_report.JobId,
    characters: Annotated[int, typer.Option(min=1, max=1_000_000, help="How much of its end")] = 20_000,
    as_json: run_report.AsJson = False,
) -> None:
    """Show the last lines that the process of a job wrote."""
    found = Server.of(context).call("GET", f"{run_report.path('jobs', job, '/log')}?characters={characters}")
    if as_json:
        show.as_json(found)
        return
    print(show.printable(found["text"]).rstrip("\n") or f"The process of {job} has written nothing.")


@app.command("samples")
def show_samples(
    context: typer.Context,
    job: run_report.JobId,
    every: Annotated[bool, typer.Option("--all", help="Also those in between, the latest thousand")] = False,
    as_json: run_report.AsJson = False,
) -> None:
    """Show what the model wrote to each prompt before and after the training."""
    asked = f"{run_report.path('jobs', job, '/samples')}?limit=1000&ends={'false' if every else 'true'}"
    found = Server.of(context).call("GET", asked)
    if as_json:
        show.as_json(found)
        return
    if not found["data"]:
        print(f"{job} has no samples: its recipe takes none, or has not begun.")
        return
    prompts: dict[str, list[dict[str, Any]]] = {}
    for each in found["data"]:
        prompts.setdefault(each["prompt"], []).append(each)
    print("\n\n".join(_written(prompt, samples) for prompt, samples in prompts.items()))
    if found["has_more"]:
        print("\nThere are more, earlier ones.")


@app.command("cancel")
def cancel(context: typer.Context, job: run_report.JobId, as_json: run_report.AsJson = False) -> None:
    """Cancel a job of a server for good."""
    found = Server.of(context).call("POST", run_report.path("jobs", job, "/cancel"))
    show.done(f"{job} stops.", found, as_json)


@app.command("pause")
def pause(context: typer.Context, job: run_report.JobId, as_json: run_report.AsJson = False) -> None:
    """Pause a job of a server after a checkpoint."""
    found = Server.of(context).call("POST", run_report.path("jobs", job, "/pause"))
    show.done(f"{job} pauses after a checkpoint.", found, as_json)


@app.command("resume")
def resume(context: typer.Context, job: run_report.JobId, as_json: run_report.AsJson = False) -> None:
    """Resume a job that was paused or has failed from its checkpoint."""
    found = Server.of(context).call("POST", run_report.path("jobs", job, "/resume"))
    show.done(f"{job} goes on.", found, as_json)


def _tell(job: dict[str, Any]) -> None:
    """Where a job is, what it was asked for, and why it failed and what helps."""
    run_report.state(job)
    figures = "".join(f", {name.replace('_', ' ')} {value:.4g}" for name, value in job["figures"].items())
    print(show.printable(f"Step {job['step']} after {job['seconds']:.0f} s{figures}"))
    limits = (f"{name} {value}" for name, value in job["limits"].items() if value)
    options = (f"{name}={value}" for name, value in job["options"].items())
    asked = {
        "base": job["base"],
        "data": job["export"] or job["data"].get("source"),
        "options": ", ".join(options),
        "limits": ", ".join(limits),
        "seed": str(job["seed"]),
    }
    print(show.printable("; ".join(f"{name}: {value}" for name, value in asked.items() if value)))


def _written(prompt: str, samples: Iterable[dict[str, Any]]) -> str:
    """A prompt, and below it what was written to it after how many steps."""
    parts = [prompt.strip()]
    for each in samples:
        parts += [f"  after step {each['step']}:", textwrap.indent(each["text"].strip() or "(nothing)", "    ")]
    return show.printable("\n".join(parts))
