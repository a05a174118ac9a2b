"""Checkpoints are whole, and the latest ones are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.training import checkpoints


def _write(text: str, folder: Path) -> None:
    (folder / "weights").write_text(text)


def test_the_latest_are_kept(tmp_path: Path) -> None:
    for step in (2, 10, 9):
        checkpoints.save(tmp_path, step, lambda folder, step=step: _write(str(step), folder))  # type: ignore[misc]

    assert [each.name for each in checkpoints.every(tmp_path)] == ["step-9", "step-10"]
    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert checkpoints.step_of(found) == 10
    assert (found / "weights").read_text() == "10"


def test_an_uncompleted_one_does_not_count(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, 1, lambda folder: _write("1", folder))

    def breaks(folder: Path) -> None:
        _write("2", folder)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        checkpoints.save(tmp_path, 2, breaks)

    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert found.name == "step-1"
    assert [each.name for each in tmp_path.iterdir()] == ["step-1"]


def test_there_may_be_none(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path / "none") is None
