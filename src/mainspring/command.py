"""Defines commands, finds the features' commands, and opens the whole system for them although it lies above this
module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.core import slices

if TYPE_CHECKING:
    import typer

    from mainspring.core.settings import Settings
    from mainspring.feature import Rooms, Services

Opener = Callable[["Settings"], AbstractAsyncContextManager["Rooms"]]
WholeOpener = Callable[["Settings"], AbstractAsyncContextManager[tuple["Rooms", "Services"]]]
_OPENER = "mainspring.command.opener"
_WHOLE = "mainspring.command.whole"
# The headings of the help of the command line.
START, DOCUMENTS, MODELS, ACCESS = "Start and ask", "Documents", "Models and routing", "Keys, money and limits"
QUALITY, WATCH, KEEP = "Quality and safety", "Watch what happens", "Keep and comply"


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of commands (a ``typer.Typer``), under ``panel`` of the help."""

    name: str
    run: Any
    panel: str


def commands() -> Iterator[Command]:
    """The commands of all features, by feature. Groups with the same name become one, in the panel of the first."""
    named: dict[str, list[Command]] = {}
    for _, found in slices.declared("cmd", "COMMANDS"):
        for each in found:
            named.setdefault(each.name, []).append(each)
    for same in named.values():
        yield same[0] if len(same) == 1 else _together(same)


def _together(same: list[Command]) -> Command:
    import typer

    group = typer.Typer(help=" ".join(str(each.run.info.help) for each in same), no_args_is_help=True)
    for each in same:
        group.add_typer(each.run)
    return Command(same[0].name, group, same[0].panel)


def lend(context: typer.Context, opener: Opener, whole: WholeOpener) -> None:
    """Set how commands of features open the whole system: ``opener`` without, ``whole`` with the services of
    features."""
    context.meta[_OPENER] = opener
    context.meta[_WHOLE] = whole


def opener(context: typer.Context) -> Opener:
    """Opens the whole system for a command of a feature, which is in a lower room: the rooms are open in its block."""
    found: Opener = context.meta[_OPENER]
    return found


def whole_opener(context: typer.Context) -> WholeOpener:
    """The same, with the services of all features, which a command finds by protocols."""
    found: WholeOpener = context.meta[_WHOLE]
    return found
