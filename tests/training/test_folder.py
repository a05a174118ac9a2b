"""The folder of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.training import folder as training_folder
from mainspring.training.folder import Folder, RunRequest, cut
from mainspring.training.recipe import Made


def _folder(path: Path) -> Folder:
    folder = Folder(path)
    folder.create(RunRequest("sft", {"rank": 8}, seed=3))
    return folder


def test_what_was_asked_and_made_is_read_again(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    made = Made("adapter", ("adapter.safetensors",), {"loss": 1.5}, {"loss": (1.25, 1.75)}, {"loss": 40}, notes=("a",))

    assert Folder(tmp_path).asked == RunRequest("sft", {"rank": 8}, seed=3)
    assert folder.made is None
    folder.finish(made)
    assert folder.made == made


def test_a_line_cut_by_a_kill_is_left_out_and_a_step_done_twice_counts_once(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    for step, loss in ((1, 3.0), (2, 2.0), (2, 2.5)):
        folder.log(step, {"loss": loss})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "figu')

    assert [(each["step"], each["figures"]["loss"]) for each in folder.metrics()] == [(1, 3.0), (2, 2.5)]
    assert [each["step"] for each in folder.metrics(after=1)] == [2]


def test_a_row_that_is_no_object_is_named_by_its_line(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder.data / "train.jsonl").write_text('{"a": 1}\n\n[2]\n')

    with pytest.raises(InvalidRequest, match="line 3"):
        list(folder.rows("train"))
    assert list(folder.rows("test")) == []


def test_asking_again_takes_the_wish_to_stop_back(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    folder.stop()
    assert folder.stopped
    folder.create(folder.asked)
    assert not folder.stopped


def test_the_reason_of_a_failure_is_kept(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    folder.fail(NothingLearned("3 rows do not suffice", remedy="Give at least 10"))
    assert folder.error == {
        "code": "nothing_learned",
        "message": "3 rows do not suffice",
        "remedy": "Give at least 10",
        "param": None,
    }


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"job\.json"):
        _ = Folder(tmp_path).asked


def test_a_long_run_is_thinned_out_and_keeps_its_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_folder, "POINTS", 50)
    folder = _folder(tmp_path)
    for step in range(3_000):
        folder.log(step, {"loss": 1.0, **({"held_out": 2.0} if step % 500 == 250 else {})})
        if step == 1_500:
            # It was killed, and goes on in the same folder.
            folder = Folder(tmp_path)
    found = folder.metrics()
    assert [each["step"] for each in found[:50]] == list(range(50))
    assert len(found) < 200
    assert found[-1]["step"] > 2_800
    assert [each["step"] for each in found if "held_out" in each["figures"]] == [250 + 500 * n for n in range(6)]


def test_samples_and_logs_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_folder, "SAMPLES", 4_000)
    folder = _folder(tmp_path)
    for step in range(500):
        folder.sample(step, "Say it.", "said")
    found = folder.samples()
    assert found[-1]["step"] == 499
    assert 15 < len(found) < 60
    # What it wrote before training is what people compare with.
    steps = [each["step"] for each in found]
    assert steps[:5] == [0, 1, 2, 3, 4]
    assert steps[-10:] == list(range(490, 500))
    assert (tmp_path / "samples.jsonl").stat().st_size <= 4_000
    log = tmp_path / "log.txt"
    with log.open("ab") as writer:
        for number in range(100):
            writer.write(f"line {number:05}\n".encode())
            writer.flush()
            cut(log, 500)
    assert log.read_text().splitlines()[-1] == "line 00099"
    assert log.read_bytes().startswith(b"line ")
    assert not log.read_bytes().startswith(b"line 00000")
    assert log.stat().st_size <= 500


def test_a_field_of_a_hand_written_order_that_is_unknown_is_named(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"recipe": "pretrain", "epochs": 3}')
    with pytest.raises(InvalidRequest, match=r"'epochs'.*Its fields are recipe, options"):
        _ = Folder(tmp_path).asked
