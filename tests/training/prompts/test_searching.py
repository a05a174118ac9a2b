"""What a prompt that was searched for keeps of the answers that it was written over: all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mainspring.features.variants.values import read
from mainspring.training.ports import MOST_SOURCES, Candidate
from mainspring.training.prompts import searching
from mainspring.training.prompts.options import SearchedPromptOptions
from mainspring.training.recipe import Made, Work

BETTER = {"task": "Say the number alone."}


@dataclass
class OneRun:
    """A run over a folder of rows."""

    folder: Path
    options: Any

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def rows(self, side: str) -> Iterator[Mapping[str, Any]]:
        path = self.folder / "data" / f"{side}.jsonl"
        if path.exists():
            yield from map(json.loads, path.read_text().splitlines())


def searched(folder: Path, monkeypatch: pytest.MonkeyPatch, each: int, count: int = 1_000) -> Made:
    """What a search makes of ``count`` rows of train and of validation, of ``each`` answers a row."""
    data = folder / "data"
    data.mkdir()
    for side in ("train", "validation"):
        said = [{"role": "user", "content": "One and one?"}, {"role": "assistant", "content": "2"}]
        (data / f"{side}.jsonl").write_text((json.dumps({"messages": said}) + "\n") * count)
        told = [{"answers": [f"ans_{side}_{row}_{one}" for one in range(each)]} for row in range(count)]
        (data / f"{side}.lineage.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    monkeypatch.setattr(
        "mainspring.training.asking.RunSocket.of_process", classmethod(lambda _: SimpleNamespace(asked=0))
    )
    options = {"application": "small", "parts": {"task": "Answer."}, "rows": 1_000, "tested": 0}
    run = OneRun(folder, SearchedPromptOptions.model_validate(options))
    return searching.run(cast(Work, run))


def test_a_prompt_keeps_all_answers_that_it_was_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching.Search, "best", lambda *_: BETTER)
    made = searched(tmp_path, monkeypatch, 1)
    wanted = {f"ans_{side}_{row}_0" for side in ("train", "validation") for row in range(1_000)}
    assert set(made.value["sources"]) == wanted
    read(Candidate("prompt", "small", made.value))


def test_rows_of_more_answers_than_it_can_keep_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[searching.Row] = []

    def best(_: object, *sides: list[searching.Row]) -> dict[str, str]:
        shown.extend(row for side in sides for row in side)
        return BETTER

    monkeypatch.setattr(searching.Search, "best", best)
    made = searched(tmp_path, monkeypatch, 3)
    assert MOST_SOURCES - 3 < len(made.value["sources"]) <= MOST_SOURCES
    assert 3 * len(shown) == len(made.value["sources"])
    assert "667 rows were not read" in " ".join(made.notes)
    read(Candidate("prompt", "small", made.value))
