"""What a newcomer adds to a feature touches that feature's folder alone: three changes in a scratch copy
(scripts/newcomer.py), and a server of the copy over a home that was made before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts import newcomer

from tests.conftest import Server, start_server, stop_server

# Two servers start one after the other, which takes minutes on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MOST = 3
# Nobody asks them anything: engines need not load.
MODELS = {name: {"url": "http://127.0.0.1:9/v1", "model": name} for name in ("one", "other")}
SERVED = {"MAINSPRING_MODELS__CHAT": "[]", "MAINSPRING_MODELS__REMOTE": json.dumps(MODELS)}
Touched = dict[str, list[str]]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Touched]:
    folder = tmp_path_factory.mktemp("newcomer") / "copy"
    return folder, {change.name: files for change, files in newcomer.make(folder)}


@pytest.fixture(scope="module")
def changed(copy: tuple[Path, Touched], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the three changes, over a home with the arenas ``first`` and ``main`` of before."""
    home = tmp_path_factory.mktemp("arenas")
    before = start_server(home, **SERVED)
    try:
        key = before.key
        models = [each["id"] for each in before.call("GET", "/v1/models")[1]["data"]][:2]
        assert len(models) == 2
        for name in ("first", "main"):
            assert before.call("PUT", f"/v1/arena/{name}", {"models": models})[0] == 200
        assert before.call("GET", "/v1/arena/main/size")[0] == 404
    finally:
        stop_server(before)
    settings = {"MAINSPRING_ARENA__TITLES__main": "The main one", "PYTHONPATH": str(copy[0] / "src")}
    after = start_server(home, **SERVED, **settings)
    after.key = key
    yield after
    stop_server(after)


def test_each_change_touches_three_files_at_most_and_all_of_them_are_the_features(copy: tuple[Path, Touched]) -> None:
    touched = copy[1]
    assert set(touched) == {"endpoint with a scope", "setting", "stored field"}
    assert all(1 <= len(files) <= MOST for files in touched.values()), touched
    assert all(path.startswith(newcomer.FEATURE) for files in touched.values() for path in files), touched


def test_the_endpoint_asks_for_its_scope(changed: Server) -> None:
    made = {
        scope: changed.call("POST", "/v1/keys", {"name": scope, "scopes": [scope]})[1]["secret"]
        for scope in ("arena", "arena-sizes")
    }
    assert changed.call("GET", "/v1/arena/main/size", key=made["arena"])[0] == 403
    status, size = changed.call("GET", "/v1/arena/main/size", key=made["arena-sizes"])
    assert (status, size) == (200, {"object": "arena.size", "id": "main", "models": 2})
    assert "/v1/arena/{arena}/size" in changed.call("GET", "/openapi.json")[1]["paths"]


def test_the_environment_sets_the_setting(changed: Server) -> None:
    assert changed.call("GET", "/v1/arena/main")[1]["title"] == "The main one"
    assert changed.call("GET", "/v1/arena/first")[1]["title"] == ""


def test_the_field_is_stored_in_a_home_of_before(changed: Server) -> None:
    def listed() -> list[str]:
        return [each["id"] for each in changed.call("GET", "/v1/arena")[1]["data"]]

    assert listed() == ["first", "main"]
    definition = changed.call("GET", "/v1/arena/main")[1]["definition"]
    assert changed.call("PUT", "/v1/arena/main", definition)[0] == 200
    assert listed() == ["main", "first"]
