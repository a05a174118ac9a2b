"""One hook: built-ins first, plugins override, unknown names are explained, what fails is named and left out."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.core import plugins
from mainspring.core.errors import SettingsError
from tests.conftest import ROOT, Server, start_server, stop_server


class Builtin:
    @plugins.hookimpl
    def mainspring_register(self, registry: plugins.Registry) -> None:
        registry.add("engine", "openvino", dict)
        registry.add("engine", "llamacpp", list)


def test_builtins_register_through_the_hook() -> None:
    registry = plugins.load(Builtin())
    assert registry.get("engine", "openvino") is dict
    assert registry.names("engine") == ["openvino", "llamacpp"]


def test_an_unknown_name_suggests_the_nearest() -> None:
    registry = plugins.load(Builtin())
    with pytest.raises(SettingsError, match="Did you mean openvino"):
        registry.get("engine", "openvno")
    with pytest.raises(SettingsError, match="There are: openvino, llamacpp"):
        registry.get("engine", "zzz")


def test_an_unknown_kind_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"no kind of plugin 'engin'.*Did you mean engine"):
        plugins.Registry().add("engin", "mine", dict)


def test_a_later_registration_replaces_an_earlier_one() -> None:
    registry = plugins.load(Builtin())
    registry.add("engine", "openvino", set)
    assert registry.get("engine", "openvino") is set


def test_what_fails_is_left_out_and_named() -> None:
    def fails() -> object:
        raise ValueError("no wings")

    registry = plugins.Registry()
    registry.add("feature", "one", dict)
    registry.add("feature", "two", fails)
    registry.add("feature", "three", list)
    assert list(registry.made("feature")) == [("one", {}), ("three", [])]
    assert registry.failed == {"feature two": "ValueError: no wings"}


def publish(place: Path, name: str, module: str) -> None:
    """A package that is installed at ``place``, as far as its entry point goes."""
    information = place / f"{name.replace('-', '_')}-0.1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n", encoding="utf-8")
    point = f"[mainspring.plugins]\n{name} = {module}\n"
    (information / "entry_points.txt").write_text(point, encoding="utf-8")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample package, and one that cannot be imported."""
    place = tmp_path_factory.mktemp("installed")
    publish(place, "sample", "mainspring_sample.plugin")
    publish(place, "broken", "broken_plugin")
    (place / "broken_plugin.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    return place


def path_of(sample: Path) -> str:
    return os.pathsep.join([str(sample), str(ROOT / "samples" / "plugin" / "src"), os.environ.get("PYTHONPATH", "")])


@pytest.fixture(scope="module")
def serving(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    server = start_server(home, PYTHONPATH=path_of(sample))
    yield server
    stop_server(server)


def test_the_sample_serves_an_application_and_a_route(serving: Server) -> None:
    status, models = serving.call("GET", "/v1/models")
    assert status == 200
    assert ("shout", "application") in {(each["id"], each.get("kind")) for each in models["data"]}
    asked = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, "temperature": 0}
    _, plain = serving.call("POST", "/v1/chat/completions", {"model": "smollm2-135m-instruct", **asked})
    status, loud = serving.call("POST", "/v1/chat/completions", {"model": "shout", **asked})
    assert status == 200
    said = plain["choices"][0]["message"]["content"]
    assert said != said.upper() == loud["choices"][0]["message"]["content"]
    assert loud["usage"]["completion_tokens"] == plain["usage"]["completion_tokens"]
    assert serving.call("GET", "/v1/hello") == (200, {"hello": "default"})
    assert serving.call("GET", "/v1/hello", key="ms-wrong")[0] == 401


def test_its_calls_are_metered_under_one_trace(serving: Server) -> None:
    body = {"model": "shout", "messages": [{"role": "user", "content": "Say goodbye."}], "max_tokens": 4}
    status, headers, _ = serving.raw("POST", "/v1/chat/completions", body)
    assert status == 200
    _, events = serving.call("GET", f"/v1/events?trace_id={headers['x-trace-id']}")
    kinds = {each["kind"] for each in events["data"]}
    assert {"call", "answer"} <= kinds


def test_its_engine_may_serve_all_models(sample: Path) -> None:
    code = textwrap.dedent(
        """
        from mainspring.core import plugins
        registry = plugins.load()
        print(registry.names("engine"), sorted(registry.failed))
        """
    )
    environment = {**os.environ, "PYTHONPATH": path_of(sample)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['parrot'] ['broken']"


def test_doctor_names_the_one_that_fails(sample: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": path_of(sample), "MAINSPRING_HOME": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-m", "mainspring", "doctor"], env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    lines = [line for line in told.stdout.splitlines() if line.startswith("plugin ")]
    assert any("plugin broken" in line and "wrong" in line and "nothing_of_this_name" in line for line in lines)
    assert any("plugin sample" in line and "ok" in line for line in lines)
