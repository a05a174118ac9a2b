"""Written exports: formats, splits, manifests and cards."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.features.lake.exports.sets import conversations, passages
from mainspring.features.lake.exports.sets.formats import check_format, written
from mainspring.features.lake.exports.sets.rows import Options
from mainspring.features.lake.exports.sets.splits import Shares, split
from mainspring.features.lake.exports.sets.writing import Order, export, write_files
from tests.features.lake.world_of_rows import grounded, interaction, sentence


def _rows(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_an_export_lists_what_each_row_is_made_of_and_the_manifest_tells_the_files() -> None:
    rows = [interaction(str(number), sentence(random.Random(number)), "It does.") for number in range(40)]
    done = export(
        conversations.sft(rows, Options()), Order("sft", "trl", name="desk", seed=3, counts={"read": 50, "consent": 10})
    )
    assert sum(count for count in done.manifest["split"]["rows"].values()) == 40
    assert done.manifest["split"]["rows"]["train"] == 32
    for name, about in done.manifest["files"].items():
        assert hashlib.sha256(done.files[name]).hexdigest() == about["sha256"]
    train, lineage = _rows(done.files["train.jsonl"]), _rows(done.files["train.lineage.jsonl"])
    assert [row["id"] for row in train] == [row["id"] for row in lineage]
    assert all(
        row["event_ids"] and row["event_ids"] == beside["event_ids"] for row, beside in zip(train, lineage, strict=True)
    )
    card = done.files["README.md"].decode()
    assert card.startswith("---\nlicense: other\n")
    assert "| consent | 10 |" in card
    # A card repeats nobody's words.
    assert not any(row["messages"][1]["content"] in card for row in train)


def test_the_same_order_writes_the_same_bytes() -> None:
    rows = [interaction(str(number), sentence(random.Random(number))) for number in range(20)]
    once = export(conversations.sft(rows, Options()), Order("sft", "openai", seed=1))
    again = export(conversations.sft(rows, Options()), Order("sft", "openai", seed=1))
    assert once.files == again.files


def test_a_thousand_near_duplicates_never_straddle() -> None:
    drawn = random.Random(5)
    rows = []
    for number in range(1000):
        said = sentence(drawn, 20)
        words = said.split()
        words[drawn.randrange(len(words))] = drawn.choice(("really", "please", "now"))
        rows += [interaction(f"{number}a", said), interaction(f"{number}b", " ".join(words).upper())]
    drawn.shuffle(rows)
    made = list(conversations.sft(rows, Options()))
    side = {row.answers[0][4:]: place for row, place in zip(made, split(made, Shares(), 1), strict=True)}
    assert all(side[f"{number}a"] == side[f"{number}b"] for number in range(1000))
    # Unlike texts are not glued together.
    assert len({group for group, _ in side.values()}) == 1000


def test_rows_of_one_session_are_on_one_side() -> None:
    rows = [
        interaction(f"{number}", sentence(random.Random(number)), session_id=f"s{number % 10}") for number in range(60)
    ]
    made = list(conversations.sft(rows, Options()))
    found = split(made, Shares(0.5, 0.25, 0.25), 2)
    sides: dict[str, set[str]] = {}
    for row, (_, side) in zip(made, found, strict=True):
        sides.setdefault(row.sessions[0], set()).add(side)
    assert all(len(each) == 1 for each in sides.values())
    assert {side for each in sides.values() for side in each} == {"train", "validation", "test"}


def test_axolotl_and_openai_read_preferences_in_their_own_fields() -> None:
    (row,) = conversations.preference([interaction("a", "Say a.", "Bad.", edited="Good.")], Options())
    assert written("preference", "axolotl", row.body) == {
        "messages": [{"role": "system", "content": "You help."}, {"role": "user", "content": "Say a."}],
        "chosen": {"role": "assistant", "content": "Good."},
        "rejected": {"role": "assistant", "content": "Bad."},
    }
    assert set(written("preference", "openai", row.body) or {}) == {
        "input",
        "preferred_output",
        "non_preferred_output",
    }
    done = export([row], Order("preference", "openai", shares=Shares(1, 0, 0)))
    assert "event_ids" not in _rows(done.files["train.jsonl"])[0]
    assert _rows(done.files["train.lineage.jsonl"])[0]["event_ids"] == ["ans_a", "call_a"]


def test_anthropic_reads_turns_that_alternate_and_other_conversations_are_counted_out() -> None:
    twice = (
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "One."},
        {"role": "user", "content": "Two."},
    )
    tools = ({"role": "user", "content": "Now?"}, {"role": "tool", "content": "six", "tool_call_id": "c"})
    rows = [interaction("a", "", messages=twice), interaction("b", "", messages=tools)]
    done = export(conversations.sft(rows, Options()), Order("sft", "anthropic", shares=Shares(1, 0, 0)))
    (row,) = _rows(done.files["train.jsonl"])
    assert row["system"] == "Help."
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
    assert row["messages"][0]["content"] == "One.\n\nTwo."
    assert done.manifest["counts"] == {"not in this format": 1}


def test_raft_is_a_conversation_for_trainers() -> None:
    made = list(passages.raft(grounded(8), Options()))
    for name in ("axolotl", "openai"):
        row = written("raft", name, made[0].body)
        assert row is not None
        assert list(row) == ["messages"]
        assert row["messages"][-1]["content"] == made[0].body["answer"]


@pytest.mark.parametrize(("kind", "name"), [("thumbs", "openai"), ("preference", "anthropic"), ("nli", "axolotl")])
def test_a_format_that_nobody_reads_is_refused_with_those_that_do(kind: Any, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_format(kind, name)
    assert caught.value.param == "format"
    assert "trl" in str(caught.value.remedy)


@pytest.mark.parametrize("said", ["1", ".5/.5", ".5/.5/.5", "a/b/c", "-1/1/1", "nan/0/1"])
def test_a_split_is_three_shares_that_add_up_to_one(said: str) -> None:
    with pytest.raises(InvalidRequest):
        Shares.parse(said)
    assert Shares.parse(".8/.1/.1") == Shares()


def test_files_are_whole_or_not_there(tmp_path: Any) -> None:
    done = export(conversations.sft([interaction("a", "Q?")], Options()), Order("sft", "trl", shares=Shares(1, 0, 0)))
    write_files(tmp_path / "out", done.files)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "manifest.json",
        "train.jsonl",
        "train.lineage.jsonl",
    ]
