"""The larger model: chosen by memory, pulled behind a server in a thread that can be stopped, and brought in."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import Conflict, ModelError, ModelNotPulled
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.engines.catalogue import larger_model
from mainspring.engines.catalogue.larger_model import BackgroundPull, Progress, choose, memory_bytes
from mainspring.engines.catalogue.pull import Puller

NAME = "qwen2.5-coder-1.5b-instruct"
PLENTY = 24 * 10**9


def elsewhere(tmp_path: Path, **models: Any) -> Settings:
    return Settings(models=ModelsSettings(directory=tmp_path, **models))


def test_it_comes_where_memory_allows_and_nobody_named_models(tmp_path: Path) -> None:
    found = choose(elsewhere(tmp_path), PLENTY)
    assert (found.coming, found.reason) == (NAME, "")
    assert found.settings.models.chat == Settings().models.chat
    for models in ({"chat": ("smollm2-135m-instruct",)}, {"larger": ""}, {"chat": (NAME,)}):
        settings = elsewhere(tmp_path, **models)
        assert choose(settings, PLENTY).coming == ""
        assert choose(settings, PLENTY).settings is settings


def test_a_small_machine_is_told_why(tmp_path: Path) -> None:
    floor = Puller(Settings()).catalogue.get(NAME).memory_bytes
    assert floor > 0
    found = choose(elsewhere(tmp_path), floor - 1)
    assert found.coming == ""
    assert NAME in found.reason
    assert "smollm2-135m-instruct answers" in found.reason
    assert choose(elsewhere(tmp_path), floor).coming == NAME


def test_what_is_here_is_served_behind_the_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Puller, "local", lambda *_: object())
    found = choose(elsewhere(tmp_path), PLENTY)
    assert found.settings.models.chat == ("smollm2-135m-instruct", NAME)
    assert found.coming == ""


def test_a_damaged_one_is_said(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        choose(elsewhere(tmp_path), PLENTY)


def test_memory_is_that_of_the_container(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    assert memory_bytes((limit,)) == 1_000_000
    limit.write_text("max\n")
    assert memory_bytes((limit, tmp_path / "none")) > 10**8


class Pulls:
    """A puller that does what it is told, one thing a call; then the model is there."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.reached = threading.Event()

    def pull(self, name: str, progress: Any) -> Any:
        assert name == NAME
        step = self.steps.pop(0) if self.steps else None
        if isinstance(step, Exception):
            raise step
        if step == "forever":
            while True:
                progress("download", 42, 100)
                self.reached.set()
                time.sleep(0.001)
        return "pulled"


def behind(pulls: Pulls, arrived: Any) -> BackgroundPull:
    return BackgroundPull(pulls, NAME, arrived)  # type: ignore[arg-type]


def test_it_waits_for_others_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(larger_model, "_ELSEWHERE_S", 0.01)
    monkeypatch.setattr(larger_model, "_AGAIN_S", (0.01,))
    pulls = Pulls(Conflict("another process is pulling it"), ModelError("the line is down"), ModelNotPulled("no"))
    done = threading.Event()
    got: list[Any] = []

    def arrived(pulled: Any) -> None:
        got.append(pulled)
        done.set()

    running = behind(pulls, arrived)
    running.start()
    assert done.wait(10)
    assert got == ["pulled"]
    assert pulls.steps == []


def test_it_stops_in_the_midst_and_says_how_far_it_was() -> None:
    pulls = Pulls("forever")
    running = behind(pulls, lambda _: pytest.fail("nothing arrived"))
    running.start()
    assert pulls.reached.wait(10)
    assert str(running.progress) == f"{NAME} is being pulled: download 42 %"
    running.stop(10)
    assert not running._thread.is_alive()


def test_a_failure_is_reported() -> None:
    pulls = Pulls(ModelError("the disk is full"))
    running = behind(pulls, lambda _: None)
    running.start()
    for _ in range(1000):
        if running.progress.state == "failed":
            break
        time.sleep(0.01)
    assert str(running.progress) == f"{NAME} could not be brought in: the disk is full"
    running.stop(10)
    assert str(Progress(NAME, "loading")) == f"{NAME} is being loaded"
