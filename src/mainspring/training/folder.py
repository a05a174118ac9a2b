"""The folder of a run: what is asked for, the data, checkpoints, logs and what is made.

    job.json           recipe, options, seed, base, limits
    data/              train.jsonl, validation.jsonl, test.jsonl, manifest.json
    checkpoints/       see ``training.checkpoints``
    metrics.jsonl      {"step", "at", "figures"}
    samples.jsonl      {"step", "at", "prompt", "text"}
    output/            what is made
    result.json        written last: what was made
    error.json         or why nothing was: {"code", "message", "remedy", "param"}
    stop               asks the run to stop after a checkpoint
    lock               held by the process of the run (``training.lock``)
    log.txt            what the process wrote
    tensorboard/       the metrics for TensorBoard, if it is installed there

A run that was killed leaves neither of both; it goes on in the same folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.training.recipe import Made, Side

POINTS, SAMPLES = 20_000, 8 * 2**20
_SIDES: tuple[Side, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is asked for. ``base`` is the folder of the pulled model that it starts from. ``until`` is the time
    (seconds of the epoch) at which it must stop after a checkpoint, ``finish`` the time at which it must end with the
    best that it has. ``nice`` is added to the niceness of its processes. ``tenant`` ordered it. ``given`` are
    the folders of versions and models that options name, by option. ``outside``: it may ask models outside."""

    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    base: str = ""
    until: float | None = None
    finish: float | None = None
    threads: int = 0
    nice: int = 0
    tenant: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    outside: bool = False


class Folder:
    """The folder at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        self.checkpoints = path / "checkpoints"
        self.output = path / "output"
        self._points: int | None = None
        self._logged = 0
        self._names: frozenset[str] = frozenset()

    def create(self, asked: RunRequest) -> None:
        """Make the folder, or ask another way for what is there: a later ``until``."""
        self.prepare()
        write_json(self.path / "job.json", asdict(asked))
        (self.path / "stop").unlink(missing_ok=True)

    def prepare(self) -> None:
        """Make the folders in it that are not there: somebody may have written ``job.json`` and ``data`` alone."""
        for each in (self.path, self.data, self.checkpoints, self.output):
            each.mkdir(parents=True, exist_ok=True)

    @property
    def asked(self) -> RunRequest:
        """Raises ``InvalidRequest`` if the folder is none of a run."""
        found = read_json(self.path / "job.json")
        if found is None:
            raise InvalidRequest(f"{self.path} is not the folder of a training run", remedy="Name one with a job.json")
        try:
            return RunRequest(**found)
        except TypeError as error:
            known = ", ".join(RunRequest.__dataclass_fields__)
            told = str(error).partition("__init__() ")[2] or str(error)
            raise InvalidRequest(f"{self.path / 'job.json'}: {told}", remedy=f"Its fields are {known}") from None

    def rows(self, side: Side) -> Iterator[Mapping[str, Any]]:
        """Raises ``InvalidRequest`` naming the line that is no JSON object."""
        path = self.data / f"{side}.jsonl"
        if not path.exists():
            return
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                if not isinstance(row, dict):
                    raise InvalidRequest(f"{path.name}, line {number}: not a JSON object", param=f"{side}:{number}")
                yield row

    def counts(self) -> dict[Side, int]:
        """Rows of each side that is there."""
        return {side: sum(1 for _ in self.rows(side)) for side in _SIDES if (self.data / f"{side}.jsonl").exists()}

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Keep figures of a step. After ``POINTS`` each tenth is kept, after as many more each hundredth and so on, but
        always one that has a figure which the one before has not: the drawing of a curve reads all that there is."""
        if self._points is None:
            self._points = sum(1 for _ in self._lines("metrics.jsonl"))
        names = frozenset(figures)
        self._logged += 1
        if self._logged % 10 ** min(self._points // POINTS, 9) and names <= self._names:
            return
        self._names = names
        self._points += 1
        self._append("metrics.jsonl", {"step": step, "at": time.time(), "figures": dict(figures)})

    def sample(self, step: int, prompt: str, text: str) -> None:
        """Keep what was written at a step. Of more than ``SAMPLES`` bytes the first quarter stays, which has what was
        written before training, and the newest one."""
        self._append("samples.jsonl", {"step": step, "at": time.time(), "prompt": prompt, "text": text})
        cut(self.path / "samples.jsonl", SAMPLES, first=SAMPLES // 4)

    def metrics(self, after: int = -1) -> list[dict[str, Any]]:
        """The figures of the steps after ``after``; of a step that was done twice, the latest."""
        found = {each["step"]: each for each in self._lines("metrics.jsonl") if each["step"] > after}
        return [found[step] for step in sorted(found)]

    def samples(self) -> list[dict[str, Any]]:
        """The latest text of each step and prompt."""
        found = {(each["step"], each["prompt"]): each for each in self._lines("samples.jsonl")}
        return [found[key] for key in sorted(found)]

    def finish(self, made: Made) -> None:
        write_json(self.path / "result.json", asdict(made))

    def fail(self, error: MainspringError) -> None:
        told = {"code": error.code, "message": error.message, "remedy": error.remedy, "param": error.param}
        write_json(self.path / "error.json", told)

    @property
    def made(self) -> Made | None:
        """What was made; None: nothing yet."""
        found = read_json(self.path / "result.json")
        if found is None:
            return None
        found["files"], found["notes"] = tuple(found["files"]), tuple(found["notes"])
        found["intervals"] = {name: tuple(each) for name, each in found["intervals"].items()}
        return Made(**found)

    @property
    def error(self) -> dict[str, Any] | None:
        return read_json(self.path / "error.json")

    def stop(self) -> None:
        """Ask the run to stop after a checkpoint."""
        (self.path / "stop").touch()

    @property
    def stopped(self) -> bool:
        return (self.path / "stop").exists()

    def _append(self, name: str, told: Mapping[str, Any]) -> None:
        # One write a line: a killed run leaves at most its last line incomplete.
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(told, ensure_ascii=False) + "\n")

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        path = self.path / name
        if not path.exists():
            return
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue


def cut(path: Path, most: int, first: int = 0) -> None:
    """Keep of a file of lines that has more than ``most`` bytes the lines within its ``first`` bytes, and the newest
    ones, half of ``most`` in all, even while others have it open to add lines. What is written meanwhile may get
    lost."""
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
        if file.seek(0, os.SEEK_END) <= most:
            return
        file.seek(0)
        begin = file.read(first).rpartition(b"\n")
        head = len(begin[0]) + len(begin[1])
        file.seek(-max(most // 2 - head, 0), os.SEEK_END)
        kept = file.read().partition(b"\n")[2]
        file.seek(head)
        file.write(kept)
        file.truncate()


def write_json(path: Path, told: Any) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """None if there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found if isinstance(found, dict) else None
