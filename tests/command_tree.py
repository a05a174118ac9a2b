"""The tree of commands is made once in a process of tests: to read the signatures of all of them takes longer than what
most of them do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import typer.main
import typer.testing

from mainspring.cli.main import app


@pytest.fixture(scope="session", autouse=True)
def commands_read_once() -> Iterator[None]:
    read = typer.main.get_command
    whole = cache(lambda: read(app))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", lambda given: whole() if given is app else read(given))
        patch.setattr(typer.testing, "_get_command", lambda given: typer.main.get_command(given))
        yield
