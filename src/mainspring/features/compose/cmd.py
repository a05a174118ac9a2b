"""``mainspring compose``: suggestions for a text, and a model's figures."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from mainspring.command import START, Command
from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show
from mainspring.terminal.named_commands import Group
from mainspring.terminal.remote import Server

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Folder = Annotated[
    str, typer.Option("--folder", help="A folder made by the recipe compose; default: the packaged model")
]


class _TextFirst(Group):
    """``mainspring compose "I would like "`` is ``mainspring compose suggest "I would like "``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = next((each for each in args if not each.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = ["suggest", *args]
        found: list[str] = super().parse_args(ctx, args)
        return found


app = typer.Typer(help="Complete mails while people type.", no_args_is_help=True, cls=_TextFirst)


@app.command()
def suggest(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help='The mail so far, with a blank at its end: "I would like "')],
    subject: Annotated[str, typer.Option(help="The mail's subject")] = "",
    to: Annotated[str, typer.Option(help="Its recipient, as in support")] = "",
    suggestions: Annotated[int, typer.Option(min=1, max=5, help="Maximum number of suggestions")] = 3,
    confidence: Annotated[float | None, typer.Option(min=0.01, max=1, help="Minimum confidence")] = None,
    model: Annotated[
        str, typer.Option(help="A version, as `compose models` lists; default: what serves the tenant")
    ] = "",
    explain: Annotated[bool, typer.Option(help="Show what was filtered, and why")] = False,
    as_json: AsJson = False,
) -> None:
    """Get suggestions from a running server. If the text ends in a word, a blank is added."""
    body: dict[str, Any] = {"body": text if text[-1:].isspace() else f"{text} ", "subject": subject, "to": to}
    body |= {"suggestions": suggestions, "explain": explain} | ({"model": model} if model else {})
    body |= {} if confidence is None else {"confidence": confidence}
    found = Server.of(context).call("POST", "/v1/compose", body)
    if as_json:
        show.as_json(found)
        return
    rows = [(each["text"], f"{each['confidence']:.2f}", "") for each in found["suggestions"]]
    rows += [(each["text"] or "-", f"{each['confidence']:.2f}", each["reason"]) for each in found.get("filtered", ())]
    if rows:
        show.table(("SUGGESTION", "CONFIDENCE", "FILTERED"), rows)
    else:
        print(f"No suggestion: {_why(found)}.")


def _why(found: dict[str, Any]) -> str:
    reason = found["waits"] or found["silent"] or ""
    told = {
        "few_words": "the mail is too short (compose.least_words)",
        "within_text": "text follows in the same line",
        "personal": "the text ends in what may become personal data or a secret",
        "language": "the sentence is not one for the office",
        "topic": "the sentence is about a sensitive topic",
        "guard": "a guard refuses the text",
        "": "nothing is likely enough; --confidence 0.05 asks for less likely ones, --explain says what was filtered",
    }
    return told.get(reason, str(reason))


@app.command()
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models that were trained, and which one serves."""
    found = Server.of(context).call("GET", "/v1/compose/models")
    if as_json:
        show.as_json(found)
        return
    print(f"Suggestions come from {found['serving'] or 'the model of the server'}.")
    if found["trying"]:
        print(f"{found['trying']} is tried beside it ({found['stage']}).")
    rows = [(each["id"], _time(each["created_at"]), _perplexity(each), each["stale"] or "") for each in found["data"]]
    if rows:
        print()
        show.table(("MODEL", "TRAINED", "PERPLEXITY A WORD", "NOTE"), rows)


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _perplexity(model: dict[str, Any]) -> str:
    value = model["figures"].get("perplexity_per_word")
    return "-" if value is None else f"{value:.4g}"


@app.command()
def use(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A version that was trained, as NAME@1")],
    as_json: AsJson = False,
) -> None:
    """Have a trained model serve everybody in the tenant. `mainspring variants undo compose` takes it back."""
    server = Server.of(context)
    candidate = {"kind": "model", "application": "compose", "value": {"model": model}}
    made = server.call("POST", "/v1/variants", candidate)
    found = server.call("POST", f"/v1/variants/candidates/{made['id']}", {"action": "promote"})
    show.done(f"{model} suggests for everybody. Back: mainspring variants undo compose", found, as_json)


@app.command()
def held_out(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="The data set that gets them")],
    as_json: AsJson = False,
) -> None:
    """Add places in the sent mails that no model learns from to a data set, to compare models on."""
    found = Server.of(context).call("POST", "/v1/compose/sent/held-out", {"dataset": dataset})
    told = f"{found['dataset']}@{found['version']} has {found['examples']} places in mails that are held out."
    show.done(told, found, as_json)


@app.command()
def figures(
    context: typer.Context,
    days: Annotated[float, typer.Option(min=0.01, max=366, help="Only the last days")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Show how often suggestions are accepted, and what they save."""
    found = Server.of(context).call("GET", f"/v1/compose/figures?days={days:g}")
    if as_json:
        show.as_json(found)
        return
    rows = [
        ("Shown", str(found["shown"])),
        ("Accepted", f"{found['accepted']} ({_share(found['acceptance'])})"),
        ("Dismissed", str(found["dismissed"])),
        ("Typed on", str(found["typed"])),
        ("Mails with one accepted", _share(found["usage"])),
        ("Characters saved", str(found["characters_saved"])),
    ]
    show.table(("FIGURE", "VALUE"), rows)


@app.command()
def personal(
    context: typer.Context,
    consent: Annotated[
        bool | None,
        typer.Option("--consent/--no-consent", help="May it learn from the person's mails? No deletes them"),
    ] = None,
    learn: Annotated[
        list[Path] | None, typer.Option(help="A mail that was sent, as a text file; repeat for more")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Delete the learned mails; the consent stays")] = False,
    user: Annotated[str, typer.Option(help="A user of the application; default: the key's owner")] = "",
    as_json: AsJson = False,
) -> None:
    """Show, give or withdraw a person's consent to own phrases, and learn from sent mails."""
    server, path = Server.of(context), "/v1/compose/personal"
    if consent is not None:
        server.call("PUT", path, {"consent": consent, "user": user})
    if forget:
        server.call("DELETE", f"{path}?{urlencode({'user': user})}")
    for file in learn or ():
        server.call("POST", path, {"text": _text(file), "user": user})
    found = server.call("GET", f"{path}?{urlencode({'user': user})}")
    agreed = {True: "Own phrases are learned", False: "Own phrases are not learned", None: "Nothing was decided yet"}
    show.done(f"{agreed[found['consent']]}; mails that were learned: {found['texts']}.", found, as_json)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"{file} cannot be read: {error}", remedy="Name a text file in UTF-8", param="learn"
        ) from None


@app.command("eval")
def evaluate(
    file: Annotated[Path, typer.Argument(help='Lines of JSON: {"text": ..., "subject": ..., "to": ...}')],
    folder: Folder = "",
    places: Annotated[int, typer.Option(min=1, max=50, help="Positions in each mail for exact matches")] = 3,
    most: Annotated[int, typer.Option(min=1, help="Maximum number of mails")] = 300,
    as_json: AsJson = False,
) -> None:
    """Measure a model on mails: perplexity a word, exact matches of three words, and what a user would accept."""
    from mainspring.features.compose.report import measured

    found = measured(_rows(file, most), folder, places)
    if as_json:
        show.as_json(found)
        return
    rows = [(name.replace("_", " "), f"{each['value']:.4g}", str(each["n"])) for name, each in found["figures"].items()]
    show.table(("FIGURE", "VALUE", "N"), rows)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write model.xml, model.bin, tokenizer.json and config.json")],
    model: Folder = "",
    as_json: AsJson = False,
) -> None:
    """Write the model as OpenVINO IR with its tokenizer, for phones, browsers and edge servers."""
    from mainspring.features.compose.edge.graph import export as write
    from mainspring.features.compose.model.packed import load

    written = write(load(model), folder)
    told = {"folder": str(folder), "files": written}
    show.done(f"{', '.join(written)} are in {folder}.", told, as_json)


def _rows(file: Path, most: int) -> list[dict[str, Any]]:
    """Raises ``InvalidRequest`` naming the line at fault."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} cannot be read: {error}", param="file") from None
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError:
            row = 0
        if row is None:
            continue
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InvalidRequest(
                f"{file.name}, line {number}: not an object with a text", remedy='{"text": "..."}', param="file"
            )
        found.append(row)
        if len(found) == most:
            break
    if not found:
        raise InvalidRequest(f"{file} has no mails", remedy='Give lines like {"text": "..."}', param="file")
    return found


def _share(found: dict[str, Any] | None) -> str:
    return "-" if found is None else f"{found['value']:.1%} [{found['low']:.1%}, {found['high']:.1%}] of {found['n']}"


COMMANDS = (Command("compose", app, START),)
