"""Logs of other harnesses are read as they are written, and hostile ones within bounds."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.recorded import RecordedEvaluation
from mainspring.features.evaluate.commands.logs import readings
from mainspring.features.evaluate.logs import archive, harness, inspection, making

TIME = "2026-11-28T21-54-28.584347"
HEADER = {
    "version": 2,
    "status": "success",
    "eval": {
        "task": "arena/capitals",
        "model": "openai-api/spring/small",
        "created": "2026-11-28T21:54:50+00:00",
        "eval_id": "nZYR",
        "packages": {"inspect_ai": "0.3.285"},
    },
}


def everything(path: Path, model: str = "") -> list[RecordedEvaluation]:
    return [each() for each in readings(path, model)]


def sample(name: int | str, epoch: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "epoch": epoch,
        "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"text": "France?"}]}],
        "target": ["Paris", "paris"],
        "output": {"completion": "Paris", "usage": {"input_tokens": 11, "output_tokens": 2}},
        "scores": {
            "match": {"value": "C", "explanation": "it is"},
            "judge": {"value": {"tone": 0.25, "truth": True}},
            "words": {"value": 12},
        },
        "metadata": {"topic": "towns", "long": "x" * 100},
        "working_time": 3.5,
        **more,
    }


def zipped(path: Path, members: dict[str, Any], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, value in members.items():
            file.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return path


def zstandard(path: Path, members: dict[str, Any]) -> Path:
    """As Inspect writes it: the library of Python cannot write the method, so that it is patched into both headers."""
    codec = pa.Codec("zstd")
    packed = {name: codec.compress(json.dumps(each).encode(), asbytes=True) for name, each in members.items()}
    zipped(path, packed, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as file:
        for each in file.infolist():
            struct.pack_into("<H", data, each.header_offset + 8, 93)
    place = -1
    while (place := data.find(b"PK\x01\x02", place + 1)) >= 0:
        struct.pack_into("<H", data, place + 10, 93)
    path.write_bytes(data)
    return path


MEMBERS = {
    "header.json": HEADER,
    "samples/1_epoch_1.json": sample(1),
    "samples/1_epoch_2.json": sample(1, 2, scores={"match": {"value": "I"}}),
    "samples/b_epoch_1.json": sample("b", error={"message": "it broke"}, output={}),
    "summaries.json": [],
}


@pytest.mark.parametrize("write", [zipped, zstandard])
def test_a_log_of_inspect_is_read(tmp_path: Path, write: Any) -> None:
    (found,) = everything(write(tmp_path / "log.eval", MEMBERS))
    assert (found.task, found.model, len(found.rows)) == ("capitals", "openai-api/spring/small", 3)
    assert found.metadata["harness"] == "inspect_ai 0.3.285"
    assert found.created_at == 1_795_902_890
    first, second, broken = found.rows
    assert [each.role for each in first.example.messages] == ["system", "user"]
    assert first.example.question == "France?"
    assert first.example.references == ("Paris", "paris")
    assert first.example.tags == {"topic": "towns"}
    assert first.scores == {"match": 1.0, "judge/tone": 0.25, "judge/truth": 1.0}
    assert first.reasons == {"match": "it is"}
    # What is no share is left out, and said so.
    assert found.left_out == {"scores outside of 0 to 1": 1}
    assert (first.answered.text, first.answered.completion_tokens, first.answered.duration_s) == ("Paris", 2, 3.5)
    assert (second.example.id, second.example.group, second.scores) == ("1/2", "1", {"match": 0.0})
    assert broken.answered.error == "it broke"


@pytest.mark.parametrize(("method", "named"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")])
def test_members_that_nothing_bounds_are_refused_by_name(tmp_path: Path, method: int, named: str) -> None:
    path = zipped(tmp_path / "log.eval", {"header.json": b"0" * 2**20}, method)
    with archive.Archive(path) as opened, pytest.raises(InvalidRequest, match=f"compressed by {named}") as refused:
        opened.read("header.json")
    assert refused.value.param == "file"


def test_the_same_log_as_json(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**HEADER, "samples": [sample(1), sample(1, 2)]}))
    (found,) = everything(path, "mine")
    assert (found.model, [each.example.id for each in found.rows]) == ("mine", ["1", "1/2"])


def line(number: int, **more: Any) -> str:
    return json.dumps(
        {
            "doc_id": number,
            "doc": {"subject": "law", "q": "France?"},
            "target": 1,
            "arguments": {
                f"gen_args_{n}": {"arg_0": "Question: France?\nAnswer:", "arg_1": f" {town}"}
                for n, town in enumerate(("Rome", "Paris"))
            },
            "filtered_resps": [[-9.5, "False"], [-1.25, "True"]],
            "filter": "none",
            "metrics": ["acc", "acc_norm"],
            "acc": 1.0,
            "acc_norm": 0.0,
            **more,
        }
    )


def test_samples_of_the_harness_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    lines = [line(0), line(0, filter="strict", metrics=["exact_match"], exact_match=1), line(1, acc=0.0)]
    (folder / f"samples_town_quiz_{TIME}.jsonl").write_text("\n".join(lines) + "\n")
    results = {"model_name": "small-model", "date": 1_795_902_863.4, "lm_eval_version": "0.4.13"}
    (folder / f"results_{TIME}.json").write_text(json.dumps(results))
    for path in (tmp_path, folder / f"results_{TIME}.json", folder / f"samples_town_quiz_{TIME}.jsonl"):
        (found,) = everything(path)
        assert (found.task, found.model, found.created_at) == ("town_quiz", "small-model", 1_795_902_863.4)
        first, second = found.rows
        # The likeliest continuation is the answer.
        assert (first.answered.text, first.example.question) == ("Paris", "Question: France?\nAnswer:")
        assert first.scores == {"acc": 1.0, "acc_norm": 0.0, "exact_match,strict": 1.0}
        assert second.scores == {"acc": 0.0, "acc_norm": 0.0}
        assert first.example.tags["subject"] == "law"


def test_chats_and_older_lists_are_read(tmp_path: Path) -> None:
    chat = json.dumps([{"role": "user", "content": "France?"}])
    path = tmp_path / "samples.jsonl"
    asked = ({"gen_args_0": {"arg_0": [chat], "arg_1": {"until": []}}}, [[chat, {"until": []}]])
    rows = [line(n, arguments=each, filtered_resps=["Paris"]) for n, each in enumerate(asked)]
    path.write_text("\n".join(rows))
    for row in harness.read(path, "m").rows:
        assert (row.example.question, row.answered.text, row.example.references) == ("France?", "Paris", ("1",))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b"{", "line 1 is not JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1 is not JSON"),
        ("a.jsonl", b"[1]", "not a JSON object"),
        ("a.jsonl", b'{"question": "x"}', "no doc_id and metrics"),
        ("a.jsonl", b"\n\n", "no samples with scores"),
        ("a.json", b'{"samples": []}', "not a log of Inspect"),
        ("a.json", b"\xff\xfe\x00", "not JSON"),
        ("a.eval", b"PK\x03\x04 and no more", "not a readable archive"),
        ("a.eval", b"", "not a readable archive"),
        ("results_x.json", b"{}", "has no samples"),
    ],
)
def test_what_is_no_log_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidRequest, match=said) as caught:
        everything(tmp_path / name)
    assert caught.value.param == "file"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"samples/1.json": sample(1)}, "has no header.json"),
        ({"header.json": {"eval": 7}}, "not a log of Inspect"),
        ({"header.json": HEADER, "samples/1.json": [1]}, "is not a sample"),
        ({"header.json": HEADER, "samples/1.json": sample(1, scores=None)}, "no samples with scores"),
        ({"header.json": HEADER, "samples/1.json": sample(1, scores={"a": "nan"})}, "no samples with scores"),
    ],
)
def test_damaged_logs_are_named(tmp_path: Path, members: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        everything(zipped(tmp_path / "log.eval", members))


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped(tmp_path / "bomb.eval", {"header.json": b"0" * (archive.MOST_MEMBER + 2)})
    assert bomb.stat().st_size < 200_000
    with pytest.raises(InvalidRequest, match="too large when it is unpacked"):
        everything(bomb)
    lying = zstandard(tmp_path / "lying.eval", {"header.json": "0" * 5_000_000})
    with archive.Archive(lying, most_member=1_000_000) as opened, pytest.raises(InvalidRequest, match="too large"):
        opened.read("header.json")
    several = zipped(tmp_path / "several.eval", {f"{n}.json": b"0" * 400 for n in range(4)})
    with archive.Archive(several, most_total=1_000) as opened:
        opened.read("0.json")
        opened.read("1.json")
        with pytest.raises(InvalidRequest, match="too large"):
            opened.read("2.json")
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    with pytest.raises(InvalidRequest, match="more than 3 members"):
        archive.Archive(several)


def test_long_texts_and_many_samples_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = sample(2, input="x" * (making.MOST_CHARACTERS + 1))
    path = zipped(tmp_path / "log.eval", {**MEMBERS, "samples/2.json": long, "samples/3.json": sample(3, input=" ")})
    found = inspection.read(path)
    assert len(found.rows) == 3
    assert found.left_out == {"too long": 1, "no question": 1, "scores outside of 0 to 1": 1}
    monkeypatch.setattr(making, "MOST_ROWS", 2)
    with pytest.raises(InvalidRequest, match="more samples than can be imported"):
        inspection.read(path)


def test_names_are_printable_and_short(tmp_path: Path) -> None:
    header = {"eval": {"task": "a\x00b\x1b[31m", "model": "m\x00" + "x" * 900}}
    path = zipped(tmp_path / "log.eval", {"header.json": header, "samples/1.json": sample("\x00" + "n" * 500)})
    found = inspection.read(path)
    assert (found.task, len(found.model), len(found.rows[0].example.id)) == ("ab[31m", 200, 123)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(3, 3.0), (float("nan"), None), (10**400, None), (-5, None), (1e300, None), (True, None)],
    ids=["right", "nan", "huge", "negative", "long", "bool"],
)
def test_seconds_that_cannot_be_are_left_out(tmp_path: Path, given: float, kept: float | None) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**HEADER, "samples": [sample("a", working_time=given)]}))
    assert inspection.read(path).rows[0].answered.duration_s == kept


def test_ambiguous_ids_are_reported_or_made_distinct(tmp_path: Path) -> None:
    path = tmp_path / "log.json"

    def ids(*samples: dict[str, Any]) -> list[str]:
        path.write_text(json.dumps({**HEADER, "samples": samples}))
        return [each.example.id for each in inspection.read(path).rows]

    first, other, far = ids(sample("a"), sample("a\u0001", input="Other?"), sample("b\ud800" * 200))
    assert first == "a"
    assert other.startswith("a#")
    assert len(far) <= 128
    with pytest.raises(InvalidRequest, match="sample 2 has no id"):
        ids(sample("a"), sample("\u0001"))
    with pytest.raises(InvalidRequest, match="sample 2 has the id a of another question"):
        ids(sample("a"), sample("a", input="Other?"))
