"""Groups and commands that record which of them runs, so that a failure names its command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from mainspring.terminal import show


class Command(TyperCommand):
    """A command that says when it is called."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        show.running.command = _path(info_name, parent)
        return super().make_context(info_name, args, parent, **extra)


class Group(TyperGroup):
    """A group that says when it is called."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        show.running.command = _path(info_name, parent)
        return super().make_context(info_name, args, parent, **extra)


class Root(Group):
    """The command itself: a wrong command line is reported in JSON if requested."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        # After `--`, no argument is an option.
        show.running.as_json = "--json" in (args[: args.index("--")] if "--" in args else args)
        with _usage():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _usage():
            return super().invoke(ctx)


def name(app: typer.Typer) -> None:
    """Have all groups and commands of ``app`` say when they are called."""
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            own = group.typer_instance.info.cls
            if isinstance(own, type) and not issubclass(own, Group):
                # In its place stood ours, and what it does with arguments was lost without a word.
                raise TypeError(f"{own.__module__}.{own.__name__} must be a {Group.__module__}.Group")
            group.cls = own if isinstance(own, type) else Group
            name(group.typer_instance)


def _path(info_name: str | None, parent: Any) -> str:
    if parent is None:
        return ""
    # The root's name may be `python -m mainspring`.
    before = parent.command_path.removeprefix(parent.find_root().command_path)
    return f"{before} {info_name}".strip()


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Reported on stderr by its handler.
        said = getattr(error, "format_message", None)
        if said is not None and show.running.as_json:
            show.as_json(None, ok=False, errors=[show.problem("usage", said())])
        raise
