"""Logs: one line a record, the trace id in it, and neither secrets nor prompts."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from mainspring.core.settings.telemetry import TelemetrySettings
from mainspring.core.types import Context, Principal
from mainspring.telemetry import logs

KEY = "ms-Zk3v9QmX2LtR8sWcYb1N7aJdHfGpUe0T"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    before = {
        name: (list(logger.handlers), logger.propagate, logger.level)
        for name in logs.LOGGERS
        for logger in [logging.getLogger(name)]
    }
    yield
    for name, (handlers, propagate, level) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(log_format: str, write: object) -> list[str]:
    stream = io.StringIO()
    logs.configure(TelemetrySettings.model_validate({"log_format": log_format}), stream)
    write()  # type: ignore[operator]
    return stream.getvalue().splitlines()


def test_the_password_of_an_address_is_not_written() -> None:
    said = "postgresql://ms:opensesame@db/ms and http://h/a@b"
    (line,) = lines("text", lambda: logging.getLogger("mainspring").error("%s failed", said))
    assert "postgresql://db/ms and http://h/a@b failed" in line


def test_json_lines_carry_the_trace_id() -> None:
    context = Context(Principal("acme", "key_1"))
    (line,) = lines(
        "json",
        lambda: logging.getLogger("mainspring.x").info("done", extra=logs.extra(context, seconds=0.5, model="m")),
    )
    entry = json.loads(line)
    assert entry["trace_id"] == context.trace.trace_id
    assert (entry["tenant"], entry["seconds"], entry["model"]) == ("acme", 0.5, "m")
    assert (entry["level"], entry["logger"], entry["message"]) == ("info", "mainspring.x", "done")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_secrets_and_prompts_do_not_appear(log_format: str) -> None:
    def write() -> None:
        log = logging.getLogger("mainspring.x")
        question = " ".join(["my", "private", "question"])
        log.warning("key %s refused", KEY, extra={"header": f"Bearer {KEY}", "prompt": question})
        try:
            raise ValueError(question)
        except ValueError:
            log.exception("failed")

    text = "\n".join(lines(log_format, write))
    assert KEY not in text
    assert "private" not in text
    assert "[SECRET] refused" in text
    assert "ValueError" in text
    assert "test_logs.py" in text


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_logged_name_is_no_command_to_a_terminal(log_format: str) -> None:
    """It would clear what stands there, set a title, or write from right to left."""
    sent = "a\x1b[2J\x07\x9b31m\u202egpj.exe\r\u2028b"
    (line,) = lines(log_format, lambda: logging.getLogger("mainspring").info("file %s", sent))
    shown = line if log_format == "text" else json.loads(line)["message"]
    assert shown.isprintable()
    assert "gpj.exe" in shown


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_logged_name_cannot_forge_a_line(log_format: str) -> None:
    forged = "x\n12:00:00 error mainspring: all is lost"
    assert (
        len(lines(log_format, lambda: logging.getLogger("mainspring").info("file %s", forged, extra={"file": forged})))
        == 1
    )


def test_uvicorn_writes_in_the_same_format_once() -> None:
    (line,) = lines("json", lambda: logging.getLogger("uvicorn.access").info('%s - "%s"', "127.0.0.1", "GET /"))
    assert json.loads(line)["logger"] == "uvicorn.access"


def test_level() -> None:
    stream = io.StringIO()
    logs.configure(TelemetrySettings(log_level="error"), stream)
    logging.getLogger("mainspring").warning("quiet")
    assert stream.getvalue() == ""
