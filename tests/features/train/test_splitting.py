"""Rows that come as one side are divided within the time of a request."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from mainspring.evaluation import near_duplicates
from mainspring.features.train.data import splitting


def _rows(folder: Path, texts: list[str]) -> Path:
    messages = [[{"role": "user", "content": each}, {"role": "assistant", "content": "Yes."}] for each in texts]
    lines = [json.dumps({"messages": each}) + "\n" for each in messages]
    (folder / "train.jsonl").write_text("".join(lines))
    return folder


def test_much_text_is_not_compared_while_a_request_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "LARGE", 10_000)
    signed: list[str] = []
    real = near_duplicates.signature

    def signature(text: str) -> near_duplicates.Signature:
        signed.append(text)
        return real(text)

    monkeypatch.setattr(near_duplicates, "signature", signature)
    few = ["".join(random.Random(number).choices("abcdefghijk ", k=80)) for number in range(60)]
    told = splitting.divided(_rows(tmp_path, few), 1, test=True)
    assert told.endswith("nearly equal texts together")
    assert len(signed) == 60
    signed.clear()
    # The same number of rows, but long ones.
    long = [f"{number} " + "Please summarise this mail. " * 20 for number in range(60)]
    told = splitting.divided(_rows(tmp_path, [*long, *long]), 1, test=True)
    assert told.endswith("with seed 1, equal texts together")
    assert signed == []
    sides = [set((tmp_path / f"{side}.jsonl").open()) for side in ("train", "validation", "test")]
    assert len(sides[0] | sides[1] | sides[2]) == sum(map(len, sides)) == 60
