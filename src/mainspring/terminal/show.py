"""Output of the command line: failures, answers with citations, tables and progress."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import MainspringError
from mainspring.core.version import __version__
from mainspring.terminal import emphasis

ProgressCallback = Callable[[str, int, int], None]


# Control characters except tabs and line breaks: names and answers come from third parties and must not control a
# terminal.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


# Marks of Markdown: emphasis around words, code, and a link's address behind its words.
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|__)(?=\S)(.{1,400}?)(?<=\S)\1(?![\w*])", re.DOTALL)
_CODE = re.compile(r"(`{1,20})(.{1,400}?)\1")
_LINK = re.compile(r"!?\[([^\[\]]{1,200})\]\([^()\s]{1,400}\)")


def plain(text: str) -> str:
    """``text`` without Markdown's marks of emphasis, code and links, for cards and terminals."""
    return _CODE.sub(r"\2", _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text)))


def printable(text: str) -> str:
    """``text`` with control characters as their escapes."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


# Exit codes: 0 is done, 1 not done, 2 a wrong command line or configuration.
FAILED, USAGE, PARTLY = 1, 2, 3


def failure(error: MainspringError) -> None:
    """One line on stderr, with what to do next; with ``--json`` the envelope too, on stdout."""
    sys.stderr.write(f"mainspring: {printable(str(error))}\n")
    if running.as_json:
        as_json(None, ok=False, errors=[problem(error.code, error.message, error.remedy, error.param)])


def problem(code: str, message: str, remedy: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error as JSON values."""
    return {"code": code, "message": message, "remedy": remedy or None, "param": param or None}


@dataclass(slots=True)
class Run:
    """The running command's name (``keys list``), and whether it should answer in JSON."""

    command: str = ""
    as_json: bool = False


# The name under which failures are reported outside of a command.
running = Run()


def as_json(
    data: Any, *, ok: bool = True, warnings: Sequence[str] = (), errors: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Machine-readable output on stdout: ``data`` in the envelope of all commands (docs/reference/cli.md)."""
    envelope = {
        "command": running.command,
        "version": __version__,
        "ok": ok,
        "data": data,
        "warnings": list(warnings),
        "errors": list(errors),
    }
    sys.stdout.write(json.dumps(envelope, indent=2, default=str) + "\n")


def done(text: str, data: Any, machine: bool) -> None:
    """The result of a command: in words, or for a ``machine`` as ``data``."""
    if machine:
        as_json(data)
    else:
        print(printable(text))


def written(text: str) -> str:
    """A model's text as people read it: strong words without their marks (bold on a terminal), controls escaped."""
    return emphasis.shown(printable(text.strip()), bold=sys.stdout.isatty())


def answer(found: Mapping[str, Any], *, told: bool = False) -> None:
    """An answer (``places.facts``), then each citation with its place; without the text if it was already ``told``."""
    if not told:
        print(written(found["answer"]))
    if found["citations"]:
        print("\nSources")
    for citation in found["citations"]:
        place = citation["source"] + (f", page {citation['page']}" if citation.get("page") else "")
        heading = f" · {plain(citation['heading'])}" if citation.get("heading") else ""
        print(printable(f"  [{citation['index']}] {place}{heading}"))
    for notice in found["notices"]:
        print(f"\nNote: {printable(notice)}")


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A plain table that survives a pipe."""
    texts = [[printable(str(cell)) for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[index]) for row in texts) for index in range(len(columns))]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """A progress bar on stderr; the callback takes (stage, done, total), total 0 if it is unknown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def update(stage: str, done: int, total: int) -> None:
        # A failure before the first step shows no progress bar.
        bar.start()
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total or None)
        bar.update(tasks[stage], completed=done, total=total or None)

    try:
        yield update
    finally:
        if tasks:
            bar.stop()
