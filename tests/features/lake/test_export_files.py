"""Written exports: formats, splits, manifests and cards."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.sets import conversations, passages
from mainspring.features.lake.exports.sets.formats import check_format, written
from mainspring.features.lake.exports.sets.making import Material, make
from mainspring.features.lake.exports.sets.rows import Options
from mainspring.features.lake.exports.sets.splits import Shares
from tests.features.lake.world_of_rows import grounded, interaction, sentence


@dataclasses.dataclass
class _Read:
    """An export with the bytes of its files."""

    manifest: Mapping[str, Any]
    files: dict[str, bytes]


def made(rows: Sequence[Interaction], kind: Any, form: Any = "trl", *, counts: Any = None, **more: Any) -> _Read:
    """An export of these interactions."""
    with tempfile.TemporaryDirectory() as folder:
        done = make(ExportRequest(kind, form, **more), Material(rows, counts or {}), "acme", 0.0, Path(folder))
        return _Read(done.manifest, {name: path.read_bytes() for name, path in done.files.items()})


def _sides(done: _Read) -> dict[str, tuple[str, int]]:
    """The side and the group of each answer that a row is about."""
    return {
        row["answers"][0][4:]: (name.partition(".")[0], row["group"])
        for name, data in done.files.items()
        if name.endswith(".lineage.jsonl")
        for row in _rows(data)
    }


def _rows(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_an_export_lists_what_each_row_is_made_of_and_the_manifest_tells_the_files() -> None:
    rows = [interaction(str(number), sentence(random.Random(number)), "It does.") for number in range(40)]
    done = made(rows, "sft", counts={"read": 50, "consent": 10}, name="desk", options=Options(seed=3))
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
    once, again = made(rows, "sft", "openai"), made(list(reversed(rows)), "sft", "openai")
    assert once.manifest["split"] == again.manifest["split"]
    assert made(rows, "sft", "openai").files == once.files


def test_a_thousand_near_duplicates_never_straddle() -> None:
    drawn = random.Random(5)
    rows = []
    for number in range(1000):
        said = sentence(drawn, 20)
        words = said.split()
        words[drawn.randrange(len(words))] = drawn.choice(("really", "please", "now"))
        rows += [interaction(f"{number}a", said), interaction(f"{number}b", " ".join(words).upper())]
    drawn.shuffle(rows)
    side = _sides(made(rows, "sft"))
    assert all(side[f"{number}a"] == side[f"{number}b"] for number in range(1000))
    # Unlike texts are not glued together.
    assert len(set(side.values())) == 1000
    assert {name for name, _ in side.values()} == {"train", "validation", "test"}


def test_rows_of_one_session_are_on_one_side() -> None:
    rows = [
        interaction(f"{number}", sentence(random.Random(number)), session_id=f"s{number % 10}") for number in range(60)
    ]
    found = _sides(made(rows, "sft", shares=Shares(0.5, 0.25, 0.25)))
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.session_id, set()).add(found[row.answer_id[4:]][0])
    assert all(len(each) == 1 for each in sides.values())
    assert {side for each in sides.values() for side in each} == {"train", "validation", "test"}


@pytest.mark.parametrize("kind", ["few-shot", "raft", "triplets", "rerank", "nli"])
def test_what_is_shown_beside_a_row_is_of_its_own_side(kind: Any) -> None:
    rows = [dataclasses.replace(row, thumb="up", session_id=f"s{row.answer_id}") for row in grounded(200)]
    done = made(rows, kind, options=Options(seed=2))
    sides: dict[str, set[str]] = {}
    for name, data in done.files.items():
        if name.endswith(".lineage.jsonl"):
            for row in _rows(data):
                for answer in row["answers"]:
                    sides.setdefault(answer, set()).add(name)
    assert all(len(each) == 1 for each in sides.values())
    count = done.manifest["rows"]
    shares = [done.manifest["split"]["rows"][side] / count for side in ("train", "validation", "test")]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.03)


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
    done = made([interaction("a", "Say a.", "Bad.", edited="Good.")], "preference", "openai", shares=Shares(1, 0, 0))
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
    done = made(rows, "sft", "anthropic", shares=Shares(1, 0, 0))
    (row,) = _rows(done.files["train.jsonl"])
    assert row["system"] == "Help."
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
    assert row["messages"][0]["content"] == "One.\n\nTwo."
    assert done.manifest["counts"] == {"not in this format": 1}


def test_raft_is_a_conversation_for_trainers() -> None:
    found = list(passages.raft(grounded(8), Options()))
    for name in ("axolotl", "openai"):
        row = written("raft", name, found[0].body)
        assert row is not None
        assert list(row) == ["messages"]
        assert row["messages"][-1]["content"] == found[0].body["answer"]


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


def test_files_for_openai_pass_the_checks_that_it_documents() -> None:
    call = {"id": "c1", "name": "clock", "arguments": "{}"}
    said = (
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "six", "tool_call_id": "c1"},
    )
    rows = [interaction("a", "", "It is six.", messages=said), interaction("b", "Is it open?")]
    done = made(rows, "sft", "openai", shares=Shares(1, 0, 0))
    # "Data preparation and analysis for chat model fine-tuning", OpenAI's cookbook: its names of errors.
    errors: dict[str, int] = {}

    def count(name: str, wrong: bool) -> None:
        errors[name] = errors.get(name, 0) + wrong

    known = ("role", "content", "name", "function_call", "weight", "tool_calls", "tool_call_id")
    for row in _rows(done.files["train.jsonl"]):
        count("data_type", not isinstance(row, dict))
        count("missing_messages_list", not row.get("messages"))
        count("unrecognized_top_level", set(row) != {"messages"})
        for message in row["messages"]:
            calls = message.get("tool_calls")
            count("message_missing_key", "role" not in message or "content" not in message)
            count("message_unrecognized_key", any(key not in known for key in message))
            count("unrecognized_role", message["role"] not in ("system", "user", "assistant", "tool"))
            count(
                "missing_content", (not message.get("content") and not calls) or not isinstance(message["content"], str)
            )
        count("example_missing_assistant_message", row["messages"][-1]["role"] != "assistant")
    assert len(errors) == 8
    assert not any(errors.values()), errors


@pytest.mark.torch
def test_sets_for_trl_are_read_by_its_own_library(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="it reads sets for trainers: pip install 'mainspring[train]'")
    trl = pytest.importorskip("trl.data_utils", reason="it reads sets for trainers: pip install 'mainspring[train]'")
    talk = [interaction(f"a{number}", f"Say {number}.", f"Said {number}.") for number in range(6)]
    edits = [interaction(f"e{number}", f"Say {number}.", "Bad.", edited=f"Good {number}.") for number in range(6)]
    thumbs = [interaction(f"t{number}", f"Say {number}.", "So.", thumb="up") for number in range(6)]
    columns = {
        "sft": (talk, {"messages"}),
        "preference": (edits, {"prompt", "chosen", "rejected"}),
        "thumbs": (thumbs, {"prompt", "completion", "label"}),
    }
    for kind, (rows, wanted) in columns.items():
        path = tmp_path / f"{kind}.jsonl"
        path.write_bytes(made(rows, kind, shares=Shares(1, 0, 0)).files["train.jsonl"])
        found = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
        assert found.num_rows == len(rows), kind
        assert wanted <= set(found.column_names), kind
        assert trl.is_conversational(found[0]), kind
