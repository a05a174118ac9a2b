"""``mainspring logs``: the lines of the server on this machine, filtered, and followed as they come."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from mainspring.cli import show
from mainspring.errors import InvalidRequest, NotFound
from mainspring.settings import load

LEVELS = ("debug", "info", "warning", "error", "critical")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PLAIN = ("at", "level", "logger", "message", "tenant")
_PAUSE_S = 0.3


def logs(
    context: typer.Context,
    trace: Annotated[str | None, typer.Option(help="Of this trace")] = None,
    level: Annotated[str, typer.Option(help="Of this level or above")] = "debug",
    since: Annotated[str | None, typer.Option(help="Of the last 90s, 15m, 2h, 7d, or since 2026-01-31T12:00")] = None,
    model: Annotated[str | None, typer.Option(help="Of requests for this model or application")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant")] = None,
    code: Annotated[
        str | None, typer.Option(help="Of requests that ended with this code (ok, content_refused)")
    ] = None,
    requests: Annotated[bool, typer.Option("--requests", help="Of requests only")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="The last so many")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The lines as they are written")] = False,
) -> None:
    """Show the server's log. Prompts and answers are in it as hashes, or as texts where telemetry.log_prompts is on."""
    from mainspring.telemetry.logs import FILE, REQUESTS, files

    if level not in LEVELS:
        raise InvalidRequest(f"{level} is no level", remedy=f"Levels are {', '.join(LEVELS)}", param="level")
    wanted = {
        "trace_id": trace,
        "model": model,
        "tenant": tenant,
        "code": code,
        "logger": REQUESTS if requests else None,
    }
    chosen = Chosen({name: value for name, value in wanted.items() if value}, LEVELS.index(level), _since(since))
    folder = load(context.obj).settings.home / "logs"
    found = files(folder)
    if not found and not follow:
        raise NotFound(f"there are no lines in {folder}", remedy="`mainspring up` writes them")
    for entry in deque(chosen.of(_read(found)), lines):
        _print(entry, as_json)
    if follow:
        for entry in chosen.of(_followed(folder / FILE)):
            _print(entry, as_json)


class Chosen:
    """Which lines are wanted: equal in all ``fields``, of a level or above, not older than ``since``."""

    def __init__(self, fields: dict[str, str], level: int, since: str) -> None:
        self._fields = fields
        self._level = level
        self._since = since

    def of(self, entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Those of ``entries``."""
        for entry in entries:
            if entry.get("at", "") < self._since or _level(entry) < self._level:
                continue
            if all(str(entry.get(name)) == value for name, value in self._fields.items()):
                yield entry


def _level(entry: dict[str, Any]) -> int:
    return LEVELS.index(entry["level"]) if entry.get("level") in LEVELS else len(LEVELS)


def _since(text: str | None) -> str:
    """The moment as lines have it; empty: any. Raises ``InvalidRequest``."""
    found = moment(text)
    return "" if found is None else datetime.fromtimestamp(found, UTC).isoformat(timespec="milliseconds")


def moment(text: str | None) -> float | None:
    """``90s``, ``2h`` ago or a time, in Unix seconds; None for None. Raises ``InvalidRequest``."""
    if not text:
        return None
    if (match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)) is not None:
        return time.time() - float(match[1]) * UNITS[match[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        remedy = "Say 90s, 15m, 2h, 7d, or a time such as 2026-01-31T12:00"
        raise InvalidRequest(f"{text} is no time", remedy=remedy, param="since") from None


def _read(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        try:
            with path.open("rb") as file:
                yield from filter(None, map(_entry, file))
        except FileNotFoundError:
            # It was put aside or removed meanwhile.
            continue


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        # A line that is being written, or was when the machine stopped.
        return None
    return found if isinstance(found, dict) else None


def _followed(path: Path) -> Iterator[dict[str, Any]]:
    """What is written to ``path`` from now on, also after it was put aside."""
    file, held = None, b""
    at_end = path.exists()
    while True:
        if file is None and path.exists():
            file = path.open("rb")
            if at_end:
                file.seek(0, os.SEEK_END)
                at_end = False
        if file is not None:
            *whole, held = (held + file.read()).split(b"\n")
            yield from filter(None, map(_entry, whole))
            if not path.exists() or path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                file.close()
                file, held = None, b""
                continue
        time.sleep(_PAUSE_S)


def _print(entry: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(orjson.dumps(entry).decode(), flush=True)
        return
    at = str(entry.get("at", ""))[:23].replace("T", " ")
    fields = {name: value for name, value in entry.items() if name not in _PLAIN and value not in (None, "", [])}
    shown = " ".join(f"{name}={show_value(value)}" for name, value in fields.items())
    line = f"{at} {entry.get('level', ''):<7} {entry.get('message', '')} {shown}".rstrip()
    print(show.printable(line), flush=True)


def show_value(value: Any) -> str:
    """A field as text on one line."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return repr(text) if re.search(r"\s", text) else text
