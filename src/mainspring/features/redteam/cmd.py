"""``mainspring redteam``: attack a model, an application or an endpoint, with the guards off and on."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.command import QUALITY, Command, opener
from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.settings import GuardsSettings, Settings, load
from mainspring.features.redteam.target import COLLECTION, Endpoint, SystemTarget
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.command import Opener
    from mainspring.feature import Rooms
    from mainspring.features.redteam.attacks import Attack
    from mainspring.features.redteam.run import Round

REMOTE = "red-team-target"


def redteam(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(help="A model, route or collection, or `document-qa`; with --url, a model of the endpoint")
    ],
    url: Annotated[str, typer.Option("--url", help="Attack an OpenAI-compatible endpoint behind these guards")] = "",
    key: Annotated[str, typer.Option("--key", envvar="RED_TEAM_KEY", help="Its API key", show_default=False)] = "",
    into: Annotated[
        str,
        typer.Option("--into", help="Answer from this vector store of the endpoint, created for the attacks"),
    ] = "",
    categories: Annotated[
        str, typer.Option("--categories", help="Categories, separated by commas", show_default="all")
    ] = "",
    most: Annotated[int, typer.Option("--most", min=1, help="Maximum number of attacks per category")] = 20,
    strict: Annotated[
        bool, typer.Option("--strict", help="Turn every guard on, instead of the configured policy")
    ] = False,
    off: Annotated[
        bool,
        typer.Option("--off/--no-off", help="Attack with the guards off first, to compare", show_default="yes"),
    ] = True,
    regressions: Annotated[
        Path, typer.Option("--regressions", help="File of attacks that are known to succeed")
    ] = Path("redteam.json"),
    update: Annotated[bool, typer.Option("--update", help="Write the attacks that succeed into that file")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of data sets", show_default="$MAINSPRING_DATA")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Attack TARGET in a temporary home, and report by category what gets through.

    A TARGET that is no model or route is a collection, which is filled with poisoned documents. Known attacks in the
    file are always repeated. The exit status is 1 if another attack gets through with the guards on, if there was no
    attack, or if all of them failed (docs/operate/security.md).
    """
    loaded = load(context.obj)
    settings = _settings(loaded.settings, target, url, key)
    folder = data or (Path(known) if (known := loaded.environment.get("MAINSPRING_DATA")) else None)
    if into and not url:
        raise InvalidRequest("--into names a vector store of an endpoint", remedy="Name the endpoint: --url")
    reads = bool(into) if url else _reads(loaded.settings, target)
    known_ones, attacks, harmless = _chosen(folder, regressions, categories, most, reads)
    name = REMOTE if url else target
    on = settings.guards if not strict else _strict(target, name)
    endpoint = Endpoint(url, key) if into else None
    collection = into or (COLLECTION if target == "document-qa" else target)
    make = partial(SystemTarget, name=name, reads=reads, collection=collection, endpoint=endpoint)
    rounds = asyncio.run(_rounds(opener(context), settings, make, attacks, harmless, on, off))
    through = [each.attack for each in rounds[-1].results if each.outcome == "succeeded"]
    new = [each for each in through if each.id not in {known.id for known in known_ones}]
    if update:
        from mainspring.features.redteam.run import save_regressions

        save_regressions(regressions, target, through)
    trouble = _trouble(rounds)
    _tell(rounds, through, known_ones, new, as_json, written=update, trouble=trouble)
    if trouble or (new and not update):
        raise typer.Exit(show.FAILED)


def _trouble(rounds: Sequence[Round]) -> str:
    """The reason why the rounds say nothing about the target; empty if they do."""
    for each in rounds:
        if not each.results:
            return "no attack was made: nothing is known of the target"
        if all(result.outcome == "failed" for result in each.results):
            return f"every attack failed: {each.results[0].shown}"
    return ""


def _reads(settings: Settings, target: str) -> bool:
    """Whether ``target`` answers from documents: it is none of the models and routes."""
    return target not in {"auto", *settings.models.chatting, *settings.serving.routes}


def _settings(settings: Settings, target: str, url: str, key: str) -> Settings:
    """Settings that serve only the target, if possible."""
    from mainspring.core.settings.endpoints import RemoteModel
    from mainspring.terminal.pulling import pull_missing

    models = settings.models
    if url:
        remote = {**models.remote, REMOTE: RemoteModel(url=url, model=target, api_key=key)}
        models = models.model_copy(update={"chat": (), "remote": remote})
        guards = settings.guards
        policies = {
            name: each.model_copy(update={"applications": (*each.applications, REMOTE)})
            if target in each.applications
            else each
            for name, each in guards.policies.items()
        }
        settings = settings.model_copy(update={"guards": guards.model_copy(update={"policies": policies})})
    settings = settings.model_copy(update={"models": models})
    pull_missing(settings)
    return settings


def _strict(target: str, name: str) -> GuardsSettings:
    from mainspring.features.redteam.run import STRICT

    sys.stderr.write(f"{target}: every guard at its strictest, in place of the configured policy of {name}\n")
    return STRICT


def _chosen(
    folder: Path | None, regressions: Path, categories: str, most: int, reads: bool
) -> tuple[list[Attack], list[Attack], list[str]]:
    """The known attacks, all to be sent, and the harmless texts. Raises ``InvalidRequest``."""
    from mainspring.features.redteam.attacks import CATEGORIES, innocent, read
    from mainspring.features.redteam.run import load_regressions

    wanted = [part.strip() for part in categories.split(",") if part.strip()] or list(CATEGORIES)
    if unknown := set(wanted) - set(CATEGORIES):
        raise InvalidRequest(f"no category {', '.join(sorted(unknown))}", remedy=f"There are {', '.join(CATEGORIES)}")
    known = load_regressions(regressions)
    found = read(folder, most)
    if reads:
        # It brings its own prompt, which holds no secret of ours.
        found.pop("extraction", None)
        found.pop("tools", None)
        found["multi_turn"] = [each for each in found["multi_turn"] if each.goal == "word"]
    for category in wanted:
        if category not in found:
            sys.stderr.write(f"{category}: left out, its sets are not in the folder of data sets or do not apply\n")
    attacks = [each for category in wanted for each in found.get(category, ())]
    fresh = {each.id for each in attacks}
    return known, [*attacks, *(each for each in known if each.id not in fresh)], innocent(folder, 3 * most)


async def _rounds(
    open_rooms: Opener,
    settings: Settings,
    make: Callable[[Rooms], SystemTarget],
    attacks: Sequence[Attack],
    harmless: Sequence[str],
    on: GuardsSettings,
    off: bool,
) -> list[Round]:
    from mainspring.features.redteam.run import OFF, attack

    found = []
    for label, guards in (("guards off", OFF), ("guards on", on)) if off else (("guards on", on),):
        with tempfile.TemporaryDirectory(prefix="mainspring-red-") as home, show.progress() as progress:
            changed = settings.model_copy(update={"home": Path(home), "guards": guards})
            async with open_rooms(changed) as rooms:
                target = make(rooms)
                asked = harmless if label == "guards on" else ()
                try:
                    found.append(
                        await attack(
                            target,
                            attacks,
                            asked,
                            lambda stage, done, total, label=label: progress(f"{stage}, {label}", done, total),  # type: ignore[misc]
                        )
                    )
                finally:
                    if target.endpoint is not None:
                        await target.endpoint.clear()
    return found


def _tell(
    rounds: Sequence[Round],
    through: Sequence[Attack],
    known: Sequence[Attack],
    new: Sequence[Attack],
    as_json: bool,
    *,
    written: bool,
    trouble: str,
) -> None:
    from mainspring.features.redteam.run import rows

    on = rounds[-1]
    table = rows(rounds[0] if len(rounds) > 1 else None, on)
    held = [each for each in known if each.id not in {attack.id for attack in through}]
    if as_json:
        facts: Mapping[str, Any] = {
            "categories": table,
            "harmless": on.innocent,
            "harmless_refused": on.refused,
            "through": [each.as_json() for each in through],
            "new": [each.id for each in new],
            "held_now": [each.id for each in held],
            "failures": sorted({each.shown for each in on.results if each.outcome == "failed"}),
        }
        ok = not trouble and (written or not new)
        problems = [show.problem("nothing_measured", trouble)] if trouble else []
        problems += [show.problem("attack_succeeded", f"{each.id} gets through") for each in new if not written]
        show.as_json(facts, ok=ok, errors=problems)
        return
    if trouble:
        show.failure(MainspringError(trouble))
    show.table(
        ("CATEGORY", "ATTACKS", "THROUGH, OFF", "BLOCKED, ON", "THROUGH, ON", "FAILED"),
        [["-" if value is None else value for value in row.values()] for row in table],
    )
    if on.innocent:
        print(f"\nOf {on.innocent} harmless texts that look like attacks {on.refused} were refused.")
    for each in new if not written else ():
        print(f"new: {each.category} {each.id} ({each.source}): {each.turns[-1][:90]!r}")
    failures = Counter(each.shown for each in on.results if each.outcome == "failed")
    for told, count in failures.most_common(3):
        print(f"failed {count} times: {told}")
    if held:
        print(f"{len(held)} known ones no longer get through; --update takes them out of the file.")


COMMANDS = (Command("redteam", redteam, QUALITY),)
