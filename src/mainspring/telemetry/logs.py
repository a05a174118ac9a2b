"""Structured logs: one line a record, as JSON or text, with trace ids, without secrets, prompts or answers.

Only the server calls ``configure``; a program that embeds mainspring keeps its own logging.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from datetime import UTC, date, datetime, timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

import orjson

import mainspring.telemetry.secrets as secrets
from mainspring.core import cards, private_files
from mainspring.core.settings.telemetry import TelemetrySettings
from mainspring.core.types import Context

REQUESTS = "mainspring.requests"
FILE = "mainspring.jsonl"
LOGGERS = ("mainspring", "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio")
PRIVATE = frozenset(
    {
        "prompt",
        "prompts",
        "messages",
        "content",
        "text",
        "texts",
        "answer",
        "input",
        "output",
        "completion",
        "query",
    }
)
"""Extras with these names are never written."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_LONGEST = 2000
# No payment card number is shorter, and no credential.
_SHORTEST = 13
# Characters that move a terminal's cursor, start a line or change the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def configure(settings: TelemetrySettings, stream: TextIO | None = None, folder: Path | None = None) -> None:
    """Send the loggers of mainspring and uvicorn to ``stream`` (standard error) in one format, and as JSON to files in
    ``folder`` (None: to none)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    handlers: list[logging.Handler] = [handler]
    if folder is not None:
        handlers.append(FileHandler(folder, settings))
    level = settings.log_level.upper()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        # uvicorn's children propagate to "uvicorn", which writes once.
        nested = name.startswith("uvicorn.")
        logger.handlers = [] if nested else list(handlers)
        logger.propagate = nested
        logger.setLevel(level)
    requests = logging.getLogger(REQUESTS)
    requests.handlers = list(handlers) if settings.log_requests == "both" else handlers[1:]
    requests.propagate = False
    requests.setLevel(logging.CRITICAL + 1 if settings.log_requests == "off" or not requests.handlers else "INFO")


class FileHandler(RotatingFileHandler):
    """Lines as JSON in ``folder``; a file is put aside when it is full, and at the end of its day."""

    def __init__(self, folder: Path, settings: TelemetrySettings) -> None:
        private_files.folder(folder)
        size = max(1, round(settings.log_file_mb * 1e6))
        super().__init__(folder / FILE, maxBytes=size, backupCount=settings.log_files, encoding="utf-8", delay=True)
        self.setFormatter(JsonFormatter())
        self._day = _day(folder / FILE)
        self._latest: tuple[logging.LogRecord | None, str] = (None, "")
        self._size = 0

    def format(self, record: logging.LogRecord) -> str:
        # Asked twice for each line: how long it is decides about a new file.
        if record is not self._latest[0]:
            self._latest = record, super().format(record)
        return self._latest[1]

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802
        # This is counted here, because the base class asks the file system four times a line.
        if self.stream is None:
            self.stream = self._open()
            self._size = self.stream.tell()
        day = datetime.fromtimestamp(record.created, UTC).date()
        before = self._day
        # Threads write late: a line of yesterday after a line of today is written to today's file and does not switch
        # back.
        late = before is not None and before - day == timedelta(days=1)
        if not late:
            self._day = day
        length = len(self.format(record).encode()) + 1
        over = (before is not None and before != day and not late) or self._size + length >= self.maxBytes
        self._size = length if over else self._size + length
        return over


def _day(path: Path) -> date | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    except OSError:
        return None


def files(folder: Path) -> list[Path]:
    """The files of lines, the oldest first."""
    found = {path: path.suffix.removeprefix(".") for path in folder.glob(f"{FILE}*")}
    return sorted(found, key=lambda path: -int(found[path]) if found[path].isdigit() else 0)


def expire(folder: Path, days: float) -> None:
    """Remove files that nothing was written to for ``days``."""
    limit = time.time() - days * 86_400
    for path in files(folder):
        if path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)


def extra(context: Context, **fields: Any) -> dict[str, Any]:
    """The ``extra`` of a record about a request: its trace id and tenant, and ``fields``."""
    return {"trace_id": context.trace.trace_id, "tenant": context.principal.tenant, **fields}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in vars(record).items():
        if key in _STANDARD or key in PRIVATE or key.startswith("_"):
            continue
        if value is None or isinstance(value, bool | int | float):
            fields[key] = value
        elif isinstance(value, list):
            fields[key] = [secrets.mask(str(each))[:_LONGEST] for each in value]
        else:
            fields[key] = _plain(str(value))
    return fields


def _plain(text: str) -> str:
    return text if len(text) < _SHORTEST else cards.scrub(secrets.mask(text))[:_LONGEST]


def _message(record: logging.LogRecord) -> str:
    return visible(cards.scrub(secrets.mask(secrets.anonymous(record.getMessage())))[:_LONGEST])


def visible(text: str) -> str:
    """``text`` on one line, with control characters escaped: a line break in a logged name could forge a line, and an
    escape sequence could control the terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    error = record.exc_info[1]
    # Frames and the kind of error, not its message: that may quote a request.
    lines = traceback.format_list(traceback.extract_tb(error.__traceback__))
    return "".join([*lines, type(error).__name__])


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, logger, message, the extras, exception."""

    def format(self, record: logging.LogRecord) -> str:
        own = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        # Our own fields come first, and no extra replaces them.
        entry = {**own, **_fields(record), **own}
        if trace := _trace(record):
            entry["exception"] = trace
        return orjson.dumps(entry).decode()


class TextFormatter(logging.Formatter):
    """Time, level, logger, message and extras as ``key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = "".join(f" {key}={visible(str(value))}" for key, value in _fields(record).items())
        line = f"{at} {record.levelname.lower():7} {record.name}: {_message(record)}{fields}"
        trace = _trace(record)
        return f"{line}\n{trace}" if trace else line
