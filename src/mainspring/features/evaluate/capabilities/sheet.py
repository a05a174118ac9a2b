"""The file of a run: one JSON object a line, of which the first says what the run is. A run that was killed goes on
where its file ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mainspring.core.errors import Conflict, InvalidRequest

FORMAT = "mainspring-benchmark-1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answered item. ``answer`` is the text, ``read`` what was taken for the answer; ``error`` says why there is
    none. ``cached``: an earlier run had the answer."""

    id: str
    sample: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    answer: str = ""
    read: str | None = None
    finish: str = ""
    likelihoods: tuple[float, ...] = ()
    cluster: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    cached: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nanousd: int = 0
    duration_s: float = 0.0

    @property
    def key(self) -> tuple[str, int]:
        return self.id, self.sample

    def as_json(self) -> dict[str, Any]:
        """Without what is empty."""
        row = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in row.items() if name in ("id", "sample", "scores") or value}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Outcome:
        """Raises ``TypeError`` for what is no outcome."""
        kept = {name: value for name, value in row.items() if name in cls.__slots__}
        return cls(**{**kept, "likelihoods": tuple(kept.get("likelihoods", ()))})


class Sheet:
    """The file of one run, open for more outcomes. An outcome is in the file once ``add`` returns."""

    def __init__(self, path: Path, file: IO[bytes], run: Mapping[str, Any]) -> None:
        self.path = path
        self.run = run
        self._file = file

    @classmethod
    def open(cls, path: Path, run: Mapping[str, Any]) -> Sheet:
        """The file at ``path``, begun or continued. Half a line at its end, which a killed run left, is removed.

        Raises ``Conflict`` naming what differs if it holds another run, ``InvalidRequest`` if it is no such file.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+")
        try:
            _whole(file)
            file.seek(0)
            first = file.readline()
            if not first:
                file.write(_line({"format": FORMAT, **run}))
                file.flush()
            else:
                _same(path, first, run)
            file.seek(0, os.SEEK_END)
        except BaseException:
            file.close()
            raise
        return cls(path, file, run)

    def __enter__(self) -> Sheet:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, outcome: Outcome) -> None:
        self._file.write(_line(outcome.as_json()))
        self._file.flush()

    def outcomes(self) -> Iterator[Outcome]:
        """All that have no error, each once: the last one counts."""
        return outcomes(self.path)


def read(path: Path) -> tuple[dict[str, Any], list[Outcome]]:
    """What a file says of its run, and its outcomes, those with an error too. Raises ``InvalidRequest``."""
    try:
        with path.open("rb") as file:
            run = _run(path, file.readline())
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error}", param="file") from None
    return run, list(outcomes(path, errors=True))


def outcomes(path: Path, *, errors: bool = False) -> Iterator[Outcome]:
    """The outcomes of a file; of several of one item and sample the last. Raises ``InvalidRequest``."""
    found: dict[tuple[str, int], Outcome] = {}
    with path.open("rb") as file:
        _run(path, file.readline())
        for number, line in enumerate(file, 2):
            if not line.endswith(b"\n"):
                # A run that was killed left half a line.
                break
            try:
                outcome = Outcome.of(json.loads(line))
            except (ValueError, TypeError, AttributeError):
                raise InvalidRequest(
                    f"{path.name}, line {number} is not an outcome of a benchmark", param="file"
                ) from None
            found[outcome.key] = outcome
    return (each for each in found.values() if errors or not each.error)


def _whole(file: IO[bytes]) -> None:
    size = file.seek(0, os.SEEK_END)
    step = end = size
    while step:
        start = max(0, step - 65_536)
        file.seek(start)
        part = file.read(step - start)
        if (place := part.rfind(b"\n")) >= 0:
            end = start + place + 1
            break
        step = end = start
    if end < size:
        file.truncate(end)


def _same(path: Path, first: bytes, run: Mapping[str, Any]) -> None:
    known = _run(path, first)
    wanted = json.loads(_line(run))
    changed = sorted(name for name in {*known, *wanted} if known.get(name) != wanted.get(name))
    if changed:
        told = ", ".join(f"{name} was {str(known.get(name))[:60]}, is {str(wanted.get(name))[:60]}" for name in changed)
        raise Conflict(
            f"{path} holds another run: {told}", param="out", remedy="Name another file by --out, or delete this one"
        )


def _run(path: Path, line: bytes) -> dict[str, Any]:
    try:
        run = json.loads(line)
        if run.pop("format") == FORMAT:
            return dict(run)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise InvalidRequest(f"{path} is not a file of a benchmark's run", param="file")


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
