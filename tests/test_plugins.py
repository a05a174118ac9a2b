"""One hook: built-ins first, plugins override, unknown names are explained, what fails is named and left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import openai
import pytest
from pydantic import BaseModel, ConfigDict

from mainspring import kinds
from mainspring.core import plugins
from mainspring.core.errors import SettingsError
from mainspring.core.plugins import Kind, Registry
from mainspring.feature import FEATURE, Feature
from tests.conftest import ROOT, Server, start_server, stop_server

SAMPLE = ROOT / "samples" / "plugin"


class Thing(Protocol):
    """What the kind of these tests makes."""

    @property
    def name(self) -> str: ...

    def weigh(self, text: str) -> int: ...


@dataclass
class Scale:
    name: str

    def weigh(self, text: str) -> int:
        return len(text)


THING: Kind[[str], Thing] = Kind("chunker", Thing, ("name",), builtins="tests.builtin_things", setting="rag.chunker")


def of(plugin: object, name: str = "mine") -> Registry:
    registry = Registry()
    registry.take(name, plugin)
    return registry


class Adds:
    def __init__(self, *added: tuple[Any, str, Any]) -> None:
        self.added = added

    @plugins.hookimpl
    def mainspring_register(self, registry: Registry) -> None:
        for kind, name, factory in self.added:
            registry.add(kind, name, factory)


def test_builtins_are_registered_by_the_hook_of_their_room_when_they_are_looked_at() -> None:
    sys.modules.pop("tests.builtin_things", None)
    registry = of(Adds((THING, "mine", Scale)))
    assert "tests.builtin_things" not in sys.modules
    assert registry.brought(THING) == ["mine"]
    assert registry.names(THING) == ["kitchen", "letter", "mine"]
    assert registry.make(THING, "kitchen", "k").weigh("abc") == 3


def test_an_unknown_name_suggests_the_nearest() -> None:
    registry = Registry()
    with pytest.raises(SettingsError, match=r"no chunker named 'kitchn'.*rag\.chunker.*Did you mean kitchen"):
        registry.get(THING, "kitchn")
    with pytest.raises(SettingsError, match="There are: kitchen, letter"):
        registry.get(THING, "zzz")


def test_an_unknown_kind_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"no kind of plugin 'engin'.*Did you mean engine"):
        Registry().add("engin", "mine", dict)


def test_a_plugin_replaces_what_mainspring_has_whichever_came_first() -> None:
    registry = of(Adds((THING, "kitchen", lambda name: Scale(f"better {name}"))))
    assert registry.make(THING, "kitchen", "k").name == "better k"
    assert registry.names(THING) == ["kitchen", "letter"]


def test_a_factory_that_cannot_be_called_is_refused_where_it_is_registered() -> None:
    with pytest.raises(SettingsError, match=r"chunker 'none'.*factory\(name\) -> Thing.*too many positional"):
        Registry().add(THING, "none", lambda: Scale("x"))  # type: ignore[misc, arg-type]
    by_name = of(Adds(("chunker", "none", lambda: Scale("x"))))
    with pytest.raises(SettingsError, match="too many positional"):
        by_name.get(THING, "none")


def test_what_a_plugin_makes_has_all_that_its_kind_asks_for() -> None:
    registry = of(Adds(("chunker", "stone", lambda name: object())))
    with pytest.raises(
        SettingsError, match=r"chunker 'stone' is a object, which lacks name, weigh.*test_plugins\.Thing"
    ):
        registry.make(THING, "stone", "s")


def test_a_factory_of_a_plugin_that_fails_is_an_error_that_names_the_plugin() -> None:
    def fails(name: str) -> Thing:
        raise ValueError("no wings")

    registry = of(Adds((THING, "bird", fails)), "aviary")
    with pytest.raises(
        SettingsError, match=r"chunker 'bird' of the plugin aviary cannot be made: ValueError: no wings"
    ):
        registry.make(THING, "bird", "b")


def test_what_fails_is_left_out_and_named() -> None:
    def fails() -> Feature:
        raise ValueError("no wings")

    registry = Registry()
    one, three = Feature("one"), Feature("three")
    registry.add(FEATURE, "one", lambda: one)
    registry.add(FEATURE, "two", fails)
    registry.add(FEATURE, "three", lambda: three)
    assert list(registry.made(FEATURE)) == [("one", one), ("three", three)]
    assert registry.failed == {"feature two": "ValueError: no wings"}


def test_what_a_hook_registered_before_it_failed_is_forgotten() -> None:
    registry = Registry()
    with pytest.raises(SettingsError):
        registry.take("half", Adds((THING, "mine", Scale), ("engin", "x", dict)))
    assert registry.brought(THING) == []
    assert registry.added() == {}


class Greeting(BaseModel):
    model_config = ConfigDict(extra="forbid")
    words: int = 1


def test_a_plugin_has_settings_of_its_own() -> None:
    registry = Registry()
    registry.settings("sample", Greeting)
    registry.check({"sample": {"words": 3}})
    assert plugins.section({"sample": {"words": 3}}, "sample", Greeting).words == 3
    assert plugins.section({}, "sample", Greeting).words == 1
    with pytest.raises(SettingsError, match=r"no plugin has settings plugins\.sampel.*Did you mean sample"):
        registry.check({"sampel": {}})
    with pytest.raises(SettingsError, match=r"plugins\.sample\.word: .*Did you mean words"):
        registry.check({"sample": {"word": 3}})
    with pytest.raises(SettingsError, match=r"plugins\.sample\.words: .*valid integer"):
        registry.check({"sample": {"words": "many"}})
    registry.failed["gone"] = "ImportError"
    registry.check({"gone": {"words": 3}})


def test_every_kind_is_declared_once_and_mainsprings_own_parts_fit_it() -> None:
    declared = kinds.every()
    assert sorted(kind.name for kind in declared) == sorted(plugins.KINDS)
    registry = Registry()
    for kind in declared:
        for name in registry.names(kind):
            kind.fits(name, registry.get(kind, name))
    assert {"openvino", "llamacpp"} <= set(registry.names(kinds.ENGINE))


def publish(place: Path, name: str, module: str) -> None:
    """A package that is installed at ``place``, as far as its entry point goes."""
    information = place / f"{name.replace('-', '_')}-0.1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n", encoding="utf-8")
    point = f"[mainspring.plugins]\n{name} = {module}\n"
    (information / "entry_points.txt").write_text(point, encoding="utf-8")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample package, installed as any other is, and a package that cannot be imported."""
    place = tmp_path_factory.mktemp("installed")
    uv = str(Path(sys.executable).parent / "uv")
    into = ["--python", sys.executable, "--target", str(place)]
    command = [uv, "pip", "install", "--quiet", "--no-deps", *into, str(SAMPLE)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=170)
    publish(place, "broken", "broken_plugin")
    (place / "broken_plugin.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    return place


def surroundings(sample: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(sample), os.environ.get("PYTHONPATH", "")]), **more}


@pytest.mark.slow
def test_the_parts_of_the_sample_keep_what_their_kinds_promise(sample: Path) -> None:
    """Its own tests, as whoever wrote it runs them: without the settings of this project's tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", "pyproject.toml", "-p", "no:cacheprovider", "tests"]
    told = subprocess.run(
        command, cwd=SAMPLE, env=surroundings(sample), capture_output=True, text=True, check=False, timeout=170
    )
    assert told.returncode == 0, told.stdout
    assert re.search(r"(\d+) passed", told.stdout)


SETTINGS = """
guards: {plugins: {loud: refuse}}
monitor: {judging: {share: 1, metrics: [brevity]}}
plugins: {sample: {loud_words: 2, brief_words: 5}}
"""
TICKETS = b"TICKET 17: Lamp\nThe lamp flickers after sunset.\n\nTICKET 18: Stove\nThe stove burns unevenly.\n"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def serving(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    config = home / "plugins.yaml"
    config.write_text(SETTINGS, encoding="utf-8")
    server = start_server(home, MAINSPRING_CONFIG=str(config), PYTHONPATH=surroundings(sample)["PYTHONPATH"])
    yield server
    stop_server(server)


@pytest.fixture(scope="module")
def client(serving: Server) -> openai.OpenAI:
    """A client whose requests are all of one trace."""
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    return openai.OpenAI(base_url=f"{serving.url}/v1", api_key=serving.key, default_headers=headers, max_retries=0)


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


def test_parser_guard_application_and_metric_work_under_one_trace(serving: Server, client: openai.OpenAI) -> None:
    store = client.vector_stores.create(name="desk")
    file = client.files.create(file=("desk.tickets", TICKETS), purpose="assistants")
    attached = client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id, poll_interval_ms=100)
    assert attached.status == "completed"
    (found, *_) = client.vector_stores.search(store.id, query="What is wrong with the lamp?").data
    assert "flickers after sunset" in found.content[0].text
    answer = client.chat.completions.create(
        model="desk", messages=[{"role": "user", "content": "Why does the lamp flicker?"}]
    )
    assert "sunset" in str(answer.choices[0].message.content)

    with pytest.raises(openai.BadRequestError, match="it contains shouting"):
        client.chat.completions.create(model="shout", messages=[{"role": "user", "content": "WHERE IS my LAMP"}])
    shouted = client.chat.completions.create(
        model="shout", messages=[{"role": "user", "content": "Say good morning."}], max_tokens=12
    )
    text = str(shouted.choices[0].message.content)
    assert text == text.upper()

    def events() -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = serving.call("GET", f"/v1/events?trace_id={TRACE}&limit=100")[1]["data"]
        return data

    def score() -> dict[str, Any] | None:
        return next((each for each in events() if each["kind"] == "score" and each["subject"] == shouted.id), None)

    end = time.monotonic() + 60
    while score() is None and time.monotonic() < end:
        time.sleep(0.25)
    judged = score()
    assert judged is not None
    expected = 5 / (5 + len(text.split()))
    assert judged["facts"]["scores"]["brevity"] == pytest.approx(expected, abs=1e-3)
    assert {"answer_relevancy_alone"} < set(judged["facts"]["scores"])

    refused = [each["facts"] for each in events() if each["kind"] == "guard" and each["facts"]["guard"] == "loud"]
    assert [(each["action"], each["kind"], each["count"]) for each in refused] == [("refuse", "shouting", 2)]
    assert {"call", "answer", "retrieval", "guard", "score"} <= {each["kind"] for each in events()}
    _, _, page = serving.raw("GET", "/metrics")
    assert "sample_loud_texts_total 1.0" in page.decode()


def test_its_engine_may_serve_all_models(sample: Path) -> None:
    code = textwrap.dedent(
        """
        from mainspring.core import plugins
        from mainspring.kinds import ENGINE
        registry = plugins.load()
        print(registry.brought(ENGINE), sorted(registry.failed))
        """
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env=surroundings(sample), capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "['parrot'] ['broken']"


def test_doctor_names_what_each_plugin_brings_and_the_one_that_fails(sample: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "mainspring", "doctor"],
        env=surroundings(sample, MAINSPRING_HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    lines = [line for line in told.stdout.splitlines() if line.startswith("plugin ")]
    assert any("plugin broken" in line and "wrong" in line and "nothing_of_this_name" in line for line in lines)
    (sampled,) = [line for line in lines if "plugin sample" in line]
    assert "ok" in sampled
    parts = ("engine parrot", "guard loud", "parser tickets", "metric brevity", "application shout", "toolset lamps")
    for part in parts:
        assert part in sampled
