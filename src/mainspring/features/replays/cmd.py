"""``mainspring replay``: a recorded request asked again, and both answers side by side."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mainspring.command import QUALITY, Command
from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show
from mainspring.terminal.remote import Server

_ROWS = ("model", "finish", "prompt_tokens", "completion_tokens", "cost_usd", "duration_ms", "ttft_ms")


def replay(
    context: typer.Context,
    trace_id: Annotated[str, typer.Argument(help="The x-trace-id header of a response, or the id of its answer")],
    model: Annotated[str | None, typer.Option(help="Ask this model")] = None,
    prompt: Annotated[str | None, typer.Option(help="Use this prompt of the registry: NAME or NAME@VERSION")] = None,
    policy: Annotated[str | None, typer.Option(help="Use this guard policy")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2)] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Replay a recorded request on the running server, and show both answers side by side."""
    body: dict[str, Any] = {"answer_id" if trace_id.startswith("ans_") else "trace_id": trace_id}
    drawn = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
    body["parameters"] = {name: value for name, value in drawn.items() if value is not None} or None
    body |= {"model": model, "policy": policy, "prompt": _prompt(prompt)}
    given = {name: value for name, value in body.items() if value is not None}
    made = Server.of(context).call("POST", "/v1/replays", given)
    if as_json:
        show.as_json(made)
        return
    sides = made["original"], made["replay"]
    cells = [[name, *(_cell(side, name) for side in sides)] for name in _ROWS]
    for name in ("citations", "guards"):
        cells.append([name, *(len(side[name]) for side in sides)])
    show.table(["", "original", "replay"], cells)
    agreed = made["agreement"]
    if agreed is not None:
        said = "the same text" if agreed["exact"] else f"similarity {agreed['similarity']}"
        print(f"\nAgreement: {said}")
    print(f"\n{_marked(made['diff'] or ())}")
    for notice in made["notices"]:
        print(f"\nNote: {notice}")
    print(f"\n{made['id']}")


def _prompt(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    name, at, version = text.partition("@")
    if not name or (at and not version):
        raise InvalidRequest(f"{text!r} names no prompt", remedy="Write NAME, NAME@VERSION or NAME@LABEL")
    return {"id": name, "version": version} if at else {"id": name}


def _cell(side: dict[str, Any], name: str) -> Any:
    value = side[name]
    if name == "finish":
        return ", ".join(map(str, value))
    if name == "cost_usd":
        return f"{value:.6f}"
    return "-" if value is None else value


def _marked(pieces: Any) -> str:
    """Both texts in one: what only the original has in [-brackets-], what only the replay has in {+braces+}."""
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(marks[piece["kind"]].format(piece["text"]) for piece in pieces)


COMMANDS = (Command("replay", replay, QUALITY),)
