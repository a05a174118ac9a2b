"""What the commands of training share: the paths of a server, and how they show what it tells."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from mainspring.terminal import show

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
JobId = Annotated[str, typer.Argument(help="Its id, from `mainspring train jobs`")]
Label = Annotated[str, typer.Argument(help="NAME@NUMBER, or NAME for the newest")]


def path(of: str, which: str, what: str = "") -> str:
    """Of ``which`` among the ``jobs`` or ``versions`` of a server."""
    return f"/v1/training/{of}/{quote(which, safe='')}{what}"


def tell(made: dict[str, Any], as_json: bool) -> None:
    """The end of a run; the exit status is 1 if it failed."""
    if as_json:
        show.as_json(made)
    else:
        state(made)
        if made.get("card"):
            _measured(made)
    if made["status"] == "failed":
        raise typer.Exit(show.FAILED)


def state(job: dict[str, Any]) -> None:
    """How a job stands in one line, with what to do if it failed."""
    error = job["error"] or {}
    told = f"{job['id']} ({job['recipe']}) has the status {job['status']}."
    made = f" It made {job['version']}." if job["version"] else ""
    said = f" {error.get('message', '')}".rstrip()
    remedy = f". {error['remedy']}" if error.get("remedy") else ""
    print(show.printable(f"{told}{made}{said}{remedy}"))


def _measured(made: dict[str, Any]) -> None:
    """The figures of a version that was made here, and where its card lies."""
    cells = [
        (each["name"], *("" if each[side] is None else f"{each[side]:.4g}" for side in ("before", "after")))
        for each in made["measured"]
    ]
    if cells:
        show.table(("FIGURE", "BEFORE", "AFTER"), cells)
    print(show.printable(f"Its card: {made['card']}"))
