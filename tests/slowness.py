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
USUAL_S = 180
"""What a test is given, unless it has a marker ``timeout``: see ``pyproject.toml``."""


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


def arrange(items: list[pytest.Item], processes: int) -> None:
    """Modules that share the session's server in front, all else as it was: the process of tests that begins with them
    starts a server, and the others take what stands behind. Each begins with an equal part: modules with a test that
    is given more time than usual stand where the second one begins, so that none of them is the last to be run."""
    sharing = {item.path for item in items if "server" in getattr(item, "fixturenames", ())}
    long = {item.path for item in items if _given_s(item) > USUAL_S} - sharing
    front = [item for item in items if item.path in sharing]
    rest = [item for item in items if item.path not in sharing | long]
    second = max(0, len(items) // processes - len(front)) if processes > 1 else 0
    items[:] = [*front, *rest[:second], *(item for item in items if item.path in long), *rest[second:]]


def _given_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker and marker.args else 0.0
