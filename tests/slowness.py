"""Which tests are ``slow``: those that start processes, load real models or read the data sets. `make test-fast` leaves
them out; a test that is slow for another reason says so with ``@pytest.mark.slow``. And which tests come first."""

from __future__ import annotations

from types import ModuleType

import pytest

FIXTURES = frozenset(
    ("server", "redis_url", "chromium", "data", "command", "done", "real_embedder", "real_room", "engine", "vocabulary")
)
"""Whoever asks for one of these waits for a server, a browser, a model or a data set."""
NAMES = frozenset(
    (
        *("subprocess", "start_server", "run_and_kill", "RedisServer", "Browser"),
        *("Puller", "OpenVinoEmbedder", "CliRunner", "Command", "run_within", "run_apart", "schemathesis"),
        *("Supervisor", "GrammarTrial", "OpenVinoEngine", "LlamaCppEngine", "VllmEngine"),
    )
)
"""A module that imports one of these starts processes or loads models somewhere in it."""


def mark(items: list[pytest.Item]) -> None:
    """Put the marker ``slow`` on each item that is."""
    of_modules: dict[ModuleType, bool] = {}
    for item in items:
        module = getattr(item, "module", None)
        if isinstance(module, ModuleType) and module not in of_modules:
            of_modules[module] = not NAMES.isdisjoint(vars(module))
        fixtures = getattr(item, "fixturenames", ())
        if of_modules.get(module, False) or not FIXTURES.isdisjoint(fixtures):  # type: ignore[arg-type]
            item.add_marker(pytest.mark.slow)


def server_first(items: list[pytest.Item]) -> None:
    """Modules that share the session's server in front, all else as it was: the process of tests that begins with them
    starts a server, and the others take what stands behind."""
    sharing = {item.path for item in items if "server" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path not in sharing)
