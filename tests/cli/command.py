"""Runs the ``mainspring`` command as people do, in an empty place.

``run_within`` runs it within the tests' process, which has paid for its imports: they take seconds of each start.
``run_apart`` runs it in a process of its own: for what serves or is stopped by signals.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from mainspring.cli.main import run
from tests.surroundings import SMALL

Done = subprocess.CompletedProcess[str]


def data(text: str) -> Any:
    """What stands in the envelope that a command which succeeded prints with ``--json``."""
    envelope = json.loads(text)
    assert envelope["ok"], envelope
    return envelope["data"]


def run_within(
    arguments: tuple[str | Path, ...], environment: Mapping[str, str], place: Path | None = None, typed: str = ""
) -> Done:
    """``mainspring ARGUMENTS`` in the folder ``place``, with ``typed`` on stdin; raises what it does not catch."""
    return _within(run, ["mainspring", *map(str, arguments)], environment, place, typed)


def run_script(script: Path, environment: Mapping[str, str], place: Path | None = None) -> Done:
    """A Python program in the folder ``place``; raises what it does not catch."""

    def program() -> None:
        runpy.run_path(str(script), run_name="__main__")

    return _within(program, [str(script)], environment, place)


def _within(
    call: Callable[[], None], command: list[str], environment: Mapping[str, str], place: Path | None, typed: str = ""
) -> Done:
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, "backslashreplace", write_through=True) for _ in range(2))
    with ThreadPoolExecutor(1) as pool, _as_in(command, environment, place, (io.StringIO(typed), out, err)):
        # In a thread: where a test's own loop runs, the command could not run one.
        status = pool.submit(_status, call).result()
    told = (stream.buffer.getvalue().decode(encoding) for stream in (out, err))
    return Done(command, status, *told)


def _status(call: Callable[[], None]) -> int:
    try:
        call()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextlib.contextmanager
def _as_in(
    command: list[str], environment: Mapping[str, str], place: Path | None, streams: tuple[Any, Any, Any]
) -> Iterator[None]:
    """This process with arguments, environment, folder and streams of another."""
    hook = sys.excepthook
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.multiple(sys, argv=command, stdin=streams[0], stdout=streams[1], stderr=streams[2]),
        contextlib.chdir(place or Path.cwd()),
    ):
        try:
            time.tzset()
            yield
        finally:
            sys.excepthook = hook
    time.tzset()


def run_apart(
    arguments: tuple[str | Path, ...], environment: Mapping[str, str], place: Path | None = None, typed: str = ""
) -> Done:
    """The same in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mainspring", *map(str, arguments)],
        env=environment,
        cwd=place,
        input=typed,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@dataclass
class Command:
    """``command("ask", ...)`` in the folder ``place`` with its own home; ``settings`` are environment variables."""

    place: Path
    settings: dict[str, str] = field(default_factory=dict)
    way: Any = run_within
    """``run_within`` or ``run_apart``; ``up`` is always run apart."""

    def __call__(self, *arguments: str | Path, typed: str = "", **settings: str) -> Done:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}
        environment |= {"MAINSPRING_HOME": str(self.place / "home"), **SMALL, **self.settings, **settings}
        way = run_apart if arguments[:1] == ("up",) else self.way
        done: Done = way(arguments, environment, self.place, typed)
        return done

    def said(self, *arguments: str | Path, **settings: str) -> str:
        """What a command that succeeds prints on stdout."""
        done = self(*arguments, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def failure(self, *arguments: str | Path, status: int = 1, **settings: str) -> str:
        """The one line that a command which fails with ``status`` prints on stderr."""
        done = self(*arguments, **settings)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("mainspring: ")
        return lines[0]
