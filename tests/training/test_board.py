"""What a run logs can be read by TensorBoard."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.training.board import Board

pytestmark = pytest.mark.torch


def test_tensorboard_reads_the_figures(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = Board(tmp_path / "tensorboard")
    for step in range(1, 4):
        board.add(step, {"loss": 1 / step})
    read = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(each.step, round(each.value, 3)) for each in read.Scalars("loss")] == [(1, 1.0), (2, 0.5), (3, 0.333)]
