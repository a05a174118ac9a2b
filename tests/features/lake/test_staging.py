"""Rows between the steps: those that were dropped lie on the disk, apart by the groups that they are of."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from mainspring.features.lake.build.building import DROPPED
from mainspring.features.lake.build.staging import StagedDrops


def test_dropped_rows_are_apart_by_their_groups(tmp_path: Path) -> None:
    drops = StagedDrops(tmp_path / "dropped.parquet", DROPPED)
    for names in (["a", "b"], ["c"]):
        count = len(names)
        texts = {name: [""] * count for name in ("tenant", "trace_id", "subject", "step", "reason")}
        groups = pa.array([["red"] if name == "b" else [] for name in names], pa.list_(pa.string()))
        drops.add({**texts, "answer_id": names, "at": [0.0] * count, "groups": groups})
    assert drops.groups == {(), ("red",)}
    found = {
        groups: [each for batch in drops.of(groups) for each in batch.column("answer_id").to_pylist()]
        for groups in drops.groups
    }
    assert found == {(): ["a", "c"], ("red",): ["b"]}
