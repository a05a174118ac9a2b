"""``mainspring translate``: texts and files by a running server, data for training, and models of others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from mainspring.command import START, Command
from mainspring.core.errors import InvalidRequest, MissingExtra, ModelError
from mainspring.terminal import show
from mainspring.terminal.named_commands import Group
from mainspring.terminal.remote import Server

_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_PAIR = re.compile(r"[a-z]{2,3}-[a-z]{2,3}")


class _TextFirst(Group):
    """What is no command is the text of ``text``: `mainspring translate "Good morning" --to fr`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = next((each for each in args if not each.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = ["text", *args]
        found: list[str] = super().parse_args(ctx, args)
        return found


app = typer.Typer(cls=_TextFirst, help="Translate texts and files, and create translators.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command()
def text(
    context: typer.Context,
    said: Annotated[str, typer.Argument(help="The text to translate", metavar="TEXT")],
    to: Annotated[str, typer.Option(help="Code of the language, such as `fr`")],
    source: Annotated[str, typer.Option("--from", help="Code of the text's language; default: detected")] = "",
    model: Annotated[str, typer.Option(help="A translator or a chat model; default: chosen automatically")] = "",
    as_json: AsJson = False,
) -> None:
    """Translate a text."""
    found = _translated(context, {"text": said}, to, source, model)
    if as_json:
        show.as_json(found)
    else:
        print(found["text"])


@app.command("file")
def translate_file(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Markdown, HTML, subtitles (.srt), JSON or plain text")],
    to: Annotated[str, typer.Option(help="Code of the language, such as `fr`")],
    out: Annotated[Path | None, typer.Option(help="The file to write; default: NAME.LANGUAGE.SUFFIX beside it")] = None,
    source: Annotated[str, typer.Option("--from", help="Code of the file's language; default: detected")] = "",
    model: Annotated[str, typer.Option(help="A translator or a chat model; default: chosen automatically")] = "",
    as_json: AsJson = False,
) -> None:
    """Translate a file; its layout stays."""
    from mainspring.features.translate.documents.pieces import SUFFIXES

    try:
        document = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"{path} cannot be read: {error}", remedy="Send a text file in UTF-8", param="path"
        ) from None
    kind = SUFFIXES.get(path.suffix.lower(), "text")
    found = _translated(context, {"document": document, "format": kind}, to, source, model)
    place = out or path.with_name(f"{path.stem}.{to}{path.suffix}")
    try:
        place.write_text(found["text"], encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"{place} cannot be written: {error}", param="out") from None
    show.done(f"{place} is written: {found['sentences']['sentences']} sentences.", found, as_json)


@app.command()
def languages(context: typer.Context, as_json: AsJson = False) -> None:
    """List the translators of a running server and their pairs."""
    found = Server.of(context).call("GET", "/v1/translate/languages")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print(
            "There is no translator: `mainspring translate convert` brings a public one, `mainspring train translate` "
            "trains one, and the larger chat model translates once it is served."
        )
    else:
        show.table(("TRANSLATOR", "FAMILY", "PAIRS"), [(e["id"], e["family"], ", ".join(e["pairs"])) for e in found])


@app.command()
def edits(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="A file for the rows, such as train.jsonl")],
    as_json: AsJson = False,
) -> None:
    """Write the edits of a running server that models may learn from, as rows of pairs."""
    import json

    from mainspring.features.translate.documents.sentences import aligned

    server, rows, after = Server.of(context), list[dict[str, Any]](), ""
    while True:
        page = server.call("GET", f"/v1/translate/edits?{urlencode({'limit': 1000, 'after': after})}")
        # Models read sentences, and an edit may be of a whole text.
        rows += [
            {"source": one, "target": other} | {name: row[name] for name in ("from", "to", "domain")}
            for row in page["data"]
            for one, other in aligned(row["source"], row["target"])
        ]
        after = page["next"] or ""
        if not after:
            break
    try:
        out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"{out} cannot be written: {error}", param="out") from None
    show.done(f"{out} has {len(rows)} pairs.", {"file": str(out), "pairs": len(rows)}, as_json)


@app.command()
def held_out(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="The data set that gets them")],
    as_json: AsJson = False,
) -> None:
    """Add the edits that no model learns from to a data set, to compare translators on."""
    found = Server.of(context).call("POST", "/v1/translate/edits/held-out", {"dataset": dataset})
    told = f"{found['dataset']}@{found['version']} has {found['examples']} edited sentences that are held out."
    show.done(told, found, as_json)


@app.command()
def data(
    out: Annotated[Path, typer.Argument(help="Folder for train, validation and test")],
    tatoeba: Annotated[Path, typer.Option(help="Folder with fra-eng.zip, spa-eng.zip, kor-eng.zip")],
    tests: Annotated[
        Path | None, typer.Option(help="Folder with the tests of LASER; default: TATOEBA/laser_test")
    ] = None,
    strings: Annotated[
        list[Path] | None, typer.Option(help="Wheel of home-assistant-frontend, Django, Wagtail")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make data for the recipe `translate`, without sentences that are in the tests or close to them."""
    from dataclasses import asdict
    from zipfile import BadZipFile

    from mainspring.features.translate.training import pairs

    found = [*pairs.tatoeba(tatoeba)]
    for wheel in strings or ():
        try:
            found += pairs.home_assistant(wheel) if "home_assistant" in wheel.name else pairs.catalogues(wheel)
        except (OSError, BadZipFile) as error:
            raise InvalidRequest(
                f"{wheel} cannot be read: {error}", remedy="Get one with `pip download`", param="strings"
            ) from None
    made = pairs.split(found, pairs.laser_tests(tests or tatoeba / "laser_test"), out, seed=seed)
    show.done(f"{out} has {sum(made.train.values())} pairs to learn.", asdict(made), as_json)


@app.command()
def convert(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A hub name such as OWNER/NAME, or a folder as transformers saves it")],
    out: Annotated[
        Path | None, typer.Argument(help="Folder of the translator", show_default="in the translators' folder")
    ] = None,
    *,
    pair: Annotated[list[str], typer.Option(help="A pair that it knows, such as `en-fr`; can be repeated")],
    family: Annotated[
        str, typer.Option(help="opus, opus-many, nllb, mbart or t5; default: guessed from the name")
    ] = "",
    python: Annotated[str, typer.Option(help="A Python with torch and transformers; default: this one")] = "",
    as_json: AsJson = False,
) -> None:
    """Convert a public model to a translator: NLLB, mBART-50, T5, Opus."""
    from mainspring.features.translate.engine.card import FAMILIES, Card, family_of

    folder = Path(model).expanduser()
    if folder.exists() and not (folder / "config.json").exists():
        raise InvalidRequest(
            f"{model} has no config.json", remedy="Name a folder as transformers saves it", param="model"
        )
    if not folder.exists() and not _HUB.fullmatch(model):
        raise InvalidRequest(
            f"there is no folder {model}", remedy="Name one, or a model of the hub as OWNER/NAME", param="model"
        )
    family = family or family_of(folder.name)
    if family not in FAMILIES:
        said = f"there is no family {family!r}" if family else f"the family of {model} is not known"
        raise InvalidRequest(said, remedy=f"Name it with --family: {', '.join(FAMILIES)}", param="family")
    if wrong := next((each for each in pair if not _PAIR.fullmatch(each)), ""):
        raise InvalidRequest(f"{wrong!r} is no pair", remedy="Write pairs as en-fr", param="pair")
    place = out or _home(context) / folder.name
    module = "mainspring.features.translate.training.convert"
    # The caller's own Python, with a module of this package.
    source = str(folder) if folder.exists() else model
    done = subprocess.run([python or sys.executable, "-m", module, source, str(place)], check=False)  # noqa: S603
    if done.returncode == 3:
        raise MissingExtra(
            "conversion needs torch and transformers, and sentencepiece for Opus",
            remedy="Name an environment that has them with --python",
        )
    if done.returncode:
        raise ModelError(f"{model} was not converted", remedy="The lines above say why")
    Card(family, tuple(pair), longest=256).write(place)
    show.done(f"{place} translates {', '.join(pair)}.", {"folder": str(place), "pairs": list(pair)}, as_json)


def _home(context: typer.Context) -> Path:
    """The folder in which a server with these settings looks for translators."""
    from mainspring.core.settings import load
    from mainspring.features.translate.settings import TranslateSettings

    settings = load(context.obj).settings
    named = settings.section(TranslateSettings).folder
    return Path(named).expanduser() if named else settings.home / "translators"


def _translated(context: typer.Context, given: dict[str, Any], to: str, source: str, model: str) -> Any:
    """Raises ``InvalidRequest`` where the language is not certain."""
    body = {**given, "target": to, "model": model, **({"source": source} if source else {})}
    found = Server.of(context).call("POST", "/v1/translate", body)
    if found["needs_source"]:
        likely = ", ".join(f"{each['name']} (--from {each['language']})" for each in found["detected"])
        raise InvalidRequest(
            "the language of the text is not certain", remedy=f"Name the language: {likely}", param="source"
        )
    # A server of an earlier version does not say it.
    sentences = found.get("sentences") or {}
    if doubtful := sentences.get("doubtful"):
        told = f"{doubtful} of {sentences['sentences']} sentences may be wrong: {found['model']} doubts them"
        print(show.printable(told), file=sys.stderr)
    return found


COMMANDS = (Command("translate", app, START),)
