"""``mainspring logs``: the lines of the server on this machine, filtered, and followed as they come."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
import typer

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.settings import load
from mainspring.terminal import show

LEVELS = ("debug", "info", "warning", "error", "critical")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PLAIN = ("at", "level", "logger", "message", "tenant")
_PAUSE_S = 0.3


def logs(
    context: typer.Context,
    trace: Annotated[str | None, typer.Option(help="Only lines of this trace")] = None,
    level: Annotated[str, typer.Option(help="Only this level and above")] = "debug",
    since: Annotated[str | None, typer.Option(help="Only the last 90s, 15m, 2h, 7d, or since 2026-01-31T12:00")] = None,
    model: Annotated[str | None, typer.Option(help="Only requests for this model or application")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant")] = None,
    code: Annotated[str | None, typer.Option(help="Only requests with this code (ok, content_refused)")] = None,
    requests: Annotated[bool, typer.Option("--requests", help="Only lines of requests")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Maximum number of lines, the latest")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep running and print new lines")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The lines as they are written")] = False,
) -> None:
    """Show the server's log. It contains prompts and answers as hashes, or as text if telemetry.log_prompts is on."""
    from mainspring.telemetry.logs import FILE, REQUESTS, files

    if level not in LEVELS:
        raise InvalidRequest(f"{level} is not a level", remedy=f"Levels are {', '.join(LEVELS)}", param="level")
    wanted = {
        "trace_id": trace,
        "model": model,
        "tenant": tenant,
        "code": code,
        "logger": REQUESTS if requests else None,
    }
    chosen = LineFilter({name: value for name, value in wanted.items() if value}, LEVELS.index(level), _since(since))
    folder = load(context.obj).settings.home / "logs"
    found = files(folder)
    if not found and not follow:
        raise NotFound(f"there are no lines in {folder}", remedy="`mainspring up` writes them")
    kept = LogFiles()
    for entry in deque(chosen.of(kept.read(found)), lines):
        _print(entry, as_json)
    if follow:
        for entry in chosen.of(kept.follow(folder / FILE)):
            _print(entry, as_json)


class LineFilter:
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
        raise InvalidRequest(f"{text} is not a time", remedy=remedy, param="since") from None


class LogFiles:
    """Lines of log files: the existing ones, then new ones as they are written. No line between the two is lost or
    printed twice."""

    def __init__(self) -> None:
        self._file, self._offset = 0, 0
        """The inode that was read last, and where its last whole line ended."""

    def read(self, paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
        """The lines in the files."""
        for path in paths:
            try:
                file = path.open("rb")
            except FileNotFoundError:
                # The file was rotated or deleted in the meantime.
                continue
            with file:
                yield from self._whole(file)

    def follow(self, path: Path) -> Iterator[dict[str, Any]]:
        """The lines written to ``path`` from now on, also after its rotation."""
        while True:
            try:
                file = path.open("rb")
            except FileNotFoundError:
                time.sleep(_PAUSE_S)
                continue
            with file:
                yield from self._followed(file, path)

    def _followed(self, file: BinaryIO, path: Path) -> Iterator[dict[str, Any]]:
        """The lines written to one file until the next file replaces it."""
        here = True
        while here:
            # Checked first: lines that are written before the rotation are still read.
            here = _inode(path) == os.fstat(file.fileno()).st_ino
            yield from self._whole(file)
            if here:
                time.sleep(_PAUSE_S)
        # Another file may get its number.
        self._file = 0

    def _whole(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        """The complete lines of this file after those that were read before."""
        inode = os.fstat(file.fileno()).st_ino
        if inode != self._file:
            self._file, self._offset = inode, 0
        file.seek(self._offset)
        for line in file:
            if not line.endswith(b"\n"):
                # It is being written, or was when the machine stopped.
                return
            self._offset += len(line)
            if (entry := _entry(line)) is not None:
                yield entry


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        # The machine stopped while it was written.
        return None
    return found if isinstance(found, dict) else None


def _print(entry: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(orjson.dumps(entry).decode(), flush=True)
        return
    at = _here(str(entry.get("at", "")))
    fields = {name: value for name, value in entry.items() if name not in _PLAIN and value not in (None, "", [])}
    shown = " ".join(f"{name}={show_value(value)}" for name, value in fields.items())
    line = f"{at} {entry.get('level', ''):<7} {entry.get('message', '')} {shown}".rstrip()
    print(show.printable(line), flush=True)


def _here(at: str) -> str:
    """A line's time in the reader's time zone, as other commands print it and ``--since`` takes it."""
    try:
        moment = datetime.fromisoformat(at).astimezone()
    except ValueError:
        return at
    return moment.replace(tzinfo=None).isoformat(" ", timespec="milliseconds")


def show_value(value: Any) -> str:
    """A field as text on one line."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return repr(text) if re.search(r"\s", text) else text
