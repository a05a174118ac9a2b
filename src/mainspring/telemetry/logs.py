"""Structured logs: one line a record, as JSON or text, with trace ids, without secrets, prompts or answers.

Only the server calls ``configure``; a program that embeds mainspring keeps its own logging.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

import mainspring.telemetry.secrets as secrets
from mainspring import cards
from mainspring.settings.telemetry import TelemetrySettings
from mainspring.types import Context

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
"""Extras of these names are never written, whoever passes them."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_LONGEST = 2000


def configure(settings: TelemetrySettings, stream: TextIO | None = None) -> None:
    """Send the loggers of mainspring and uvicorn to ``stream`` (standard error) in one format."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    level = settings.log_level.upper()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        # uvicorn's children propagate to "uvicorn", which writes once.
        nested = name.startswith("uvicorn.")
        logger.handlers = [] if nested else [handler]
        logger.propagate = nested
        logger.setLevel(level)


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
        else:
            fields[key] = cards.scrub(secrets.mask(str(value)))[:_LONGEST]
    return fields


def _message(record: logging.LogRecord) -> str:
    # A line break would let whoever supplies a logged name forge a line.
    return cards.scrub(secrets.mask(record.getMessage()))[:_LONGEST].replace("\r", "\\r").replace("\n", "\\n")


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
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **{key: value for key, value in _fields(record).items() if key not in ("at", "level", "logger")},
        }
        if trace := _trace(record):
            entry["exception"] = trace
        return orjson.dumps(entry).decode()


class TextFormatter(logging.Formatter):
    """Time, level, logger, message and extras as ``key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = "".join(f" {key}={value!s}".replace("\n", "\\n") for key, value in _fields(record).items())
        line = f"{at} {record.levelname.lower():7} {record.name}: {_message(record)}{fields}"
        trace = _trace(record)
        return f"{line}\n{trace}" if trace else line
