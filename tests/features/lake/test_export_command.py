"""``mainspring import`` and ``mainspring lake export`` over one home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.command import data, run_within
from tests.features.imports import records
from tests.surroundings import SMALL


def test_history_of_elsewhere_becomes_a_set_for_training(tmp_path: Path) -> None:
    environment = {**SMALL, "MAINSPRING_HOME": str(tmp_path / "home")}

    def told(*arguments: str | Path) -> Any:
        done = run_within((*arguments, "--json"), environment, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return data(done.stdout)

    file = tmp_path / "traces.jsonl"
    found = [records.LANGFUSE_TRACE, *records.LANGFUSE_FLAT]
    file.write_text("".join(json.dumps(each) + "\n" for each in found))
    assert told("import", "langfuse", file, "--consent")["events"] == 8
    assert told("import", "langfuse", file, "--consent")["known"] == 8
    made = told("lake", "export", "sft", "--out", tmp_path / "sft", "--format", "openai", "--split", "1/0/0")
    # The other answer has a thumbs-down.
    assert made["rows"] == 1
    (row,) = [json.loads(line) for line in (tmp_path / "sft" / "train.jsonl").read_text().splitlines()]
    assert row == {
        "messages": [
            {"role": "user", "content": "Where is my parcel?"},
            {"role": "assistant", "content": "It arrives on Monday."},
        ]
    }
    (lineage,) = [json.loads(line) for line in (tmp_path / "sft" / "train.lineage.jsonl").read_text().splitlines()]
    assert lineage["traces"] == [records.LANGFUSE_TRACE["id"]]
    assert told("lake", "export", "thumbs", "--out", tmp_path / "kto", "--split", "1/0/0")["rows"] == 2
    assert [each["kind"] for each in told("lake", "exports")] == ["thumbs", "sft"]
    wrong = run_within(("lake", "export", "poems", "--out", tmp_path / "x"), environment, tmp_path)
    assert wrong.returncode != 0
    assert "preference" in wrong.stdout + wrong.stderr
