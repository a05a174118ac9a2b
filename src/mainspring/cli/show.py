"""How the command line speaks: failures, answers with citations, tables and progress."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mainspring.errors import MainspringError
from mainspring.path import Answer

ProgressCallback = Callable[[str, int, int], None]


# Controls but for tabs and line breaks: names and answers come from others, and are no commands to a terminal.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` with control characters as their escapes."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def failure(error: MainspringError) -> None:
    """One line on stderr, with what to do next."""
    sys.stderr.write(f"mainspring: {printable(str(error))}\n")


def as_json(value: Any) -> None:
    """Machine-readable output on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def answer(found: Answer) -> None:
    """An answer, then each citation with the place that it comes from."""
    print(printable(found.text.strip()))
    if found.citations:
        print("\nSources")
    for citation in found.citations:
        place = citation.source + (f", page {citation.page}" if citation.page else "")
        heading = f" · {citation.heading}" if citation.heading else ""
        print(printable(f"  [{citation.index}] {place}{heading} · characters {citation.start}-{citation.end}"))
    for notice in found.notices:
        print(f"\nNote: {printable(notice.text)}")


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A plain table that survives a pipe."""
    texts = [[printable(str(cell)) for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[index]) for row in texts) for index in range(len(columns))]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """A progress bar on stderr; the callback takes (stage, done, total), total 0 where it is unknown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def update(stage: str, done: int, total: int) -> None:
        # What fails before its first step shows no bar.
        bar.start()
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total or None)
        bar.update(tasks[stage], completed=done, total=total or None)

    try:
        yield update
    finally:
        if tasks:
            bar.stop()
