"""Exports of many rows: the same files as those that were made in memory, and few things held at once."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.evaluation import near_duplicates
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.sets import grouping, writing
from mainspring.features.lake.exports.sets.erased import rewritten
from mainspring.features.lake.exports.sets.keys import Distinct, RowKeys
from mainspring.features.lake.exports.sets.making import Material, make
from mainspring.features.lake.exports.sets.rows import Options, Row, asked
from mainspring.features.lake.exports.sets.spooled_interactions import HeldRows, RowSpill
from mainspring.features.lake.exports.sets.texts import sorted_texts
from mainspring.features.lake.exports.workplace import sweep_workplaces, workplace, works
from tests.features.lake.set_of_thousands import digest, opinions, thousands
from tests.features.lake.world_of_rows import WORDS, interaction, sentence

# What the exporter wrote that held all rows in memory; of rerank, since edits judge passages by what they keep.
_BEFORE = {
    "sft": "3afdd8ed54cc9eca1e719664ccacc0686fa0d7389786bf337f3eaa7576be802c",
    "preference": "420b06221a6fb7b7b59d39250f79de26dc69598e190d39494658c04c7213c4a0",
    "thumbs": "c8ff704f600a55858a215e12845358923a7e63065b32453cf901ae90892ecacb",
    "few-shot": "96d280595585597fa8b3c3101a2cd611918dd8e24ac59714950040ec56150ac3",
    "raft": "9230b6098ef7ddc226d3f38571242093ba8ad1de4438a126cf9b5e436b57bf01",
    "triplets": "707a4cbc445e10e32a31bd118e2fabcf0001d949fa86c31a2ba83c3fae9ef031",
    "rerank": "f2413b02a4fbda2088d5475c03b9c744e5afdf7263f3de6e2d6104481e1ddfd5",
    "nli": "4f3c72228bee5caf9aaeed29b05a675b1d0c283542a4fd377e1361e2ccf2cedd",
    "classification": "64d8f26f05285af49d84528ef2a687595a4397fb421b09aabd20630116e431c5",
}


@pytest.fixture(scope="module")
def found() -> list[Interaction]:
    return thousands()


def held(rows: list[Interaction], folder: Path) -> HeldRows:
    """The rows on the disk, as a reader of the lake leaves them."""
    spill = RowSpill(folder / "rows")
    spill.add(rows)
    return spill.ended()


@pytest.mark.parametrize("kind", _BEFORE)
def test_the_files_are_those_that_were_made_in_memory(kind: Any, found: list[Interaction], tmp_path: Path) -> None:
    more: dict[str, Any] = dict(opinions(found)) if kind == "preference" else {}
    material = Material(held(found, tmp_path), {"read": 3100, "consent": 100}, **more)
    done = make(ExportRequest(kind, name="thousands", options=Options(seed=5)), material, "acme", 0.0, tmp_path)
    assert digest({name: path.read_bytes() for name, path in done.files.items()}) == _BEFORE[kind]
    lineage = [path for name, path in done.files.items() if name.endswith(writing.LINEAGE)]
    told = {each for path in lineage for line in path.open() for each in json.loads(line)["answers"]}
    assert list(done.answers) == sorted(told)


def test_what_is_held_at_once_does_not_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts interactions and rows that live whenever one is written."""
    most: dict[int, int] = {}
    add = writing.Lines.add

    def counted(self: writing.Lines, row: Any) -> None:
        if self.rows % 100 == 0:
            living = sum(type(each) in (Interaction, Row) for each in gc.get_objects())
            most[count] = max(most.get(count, 0), living - before)
        add(self, row)

    monkeypatch.setattr(writing.Lines, "add", counted)
    for count in (300, 1200):
        folder = tmp_path / str(count)
        folder.mkdir()
        material = Material(_many(count, folder))
        # What other tests have left need not be looked at again and again.
        gc.collect()
        gc.freeze()
        before = sum(type(each) in (Interaction, Row) for each in gc.get_objects())
        made = make(ExportRequest("sft"), material, "acme", 0.0, folder)
        assert made.manifest["rows"] == count
    assert most[1200] <= most[300] + 2 <= 12


def _many(count: int, folder: Path) -> HeldRows:
    spill = RowSpill(folder / "rows")
    for number in range(count):
        spill.add([interaction(str(number), sentence(random.Random(number)))])
    return spill.ended()


def test_numbers_are_all_that_is_in_memory_of_a_row(tmp_path: Path) -> None:
    keys = RowKeys.of(_many(500, tmp_path))
    arrays = [getattr(keys, each.name) for each in dataclasses.fields(keys)]
    assert sum(each.nbytes for each in arrays) <= 500 * 70
    assert all(keys.place(f"ans_{number}") == number for number in range(500))
    for unknown in ("", "ans_", "ans_499x", "ans_" + "9" * 100, "zzz"):
        with pytest.raises(KeyError):
            keys.place(unknown)


def test_pairs_of_a_band_are_those_that_it_holds(tmp_path: Path) -> None:
    """Many questions of one template: a band has more of them than a further one is compared with."""
    drawn = random.Random(3)
    for template in (
        "Where is my {} that I ordered yesterday for {}?",
        "Where is my {} that I have ordered some days ago at the shop, and {} and {} too?",
    ):
        rows = [
            interaction(
                str(number), template.format(*(drawn.choice(WORDS) + str(drawn.randrange(30)) for _ in range(3)))
            )
            for number in range(600)
        ]
        expected = near_duplicates.groups(map(asked, rows))
        assert grouping.grouped(rows, RowKeys.of(rows), tmp_path).tolist() == expected
        assert 1 < len(set(expected)) < 590


def test_the_pairs_themselves_are_those_of_the_search_in_memory() -> None:
    drawn = np.random.default_rng(4)
    for count, values in ((10, 3), (200, 2), (500, 4), (40, 40)):
        band = np.stack([drawn.integers(0, values, count), np.zeros(count)], axis=1).astype(np.uint64)
        slots: dict[int, list[int]] = {}
        expected = set()
        for number, value in enumerate(band[:, 0].tolist()):
            there = slots.setdefault(value, [])
            expected |= {(each, number) for each in there}
            if len(there) < near_duplicates.MOST_COMPARED:
                there.append(number)
            else:
                there[number % near_duplicates.MOST_COMPARED] = number
        pairs = [
            pair for one, other in grouping._pairs(band) for pair in zip(one.tolist(), other.tolist(), strict=True)
        ]
        assert len(pairs) == len(set(pairs))
        assert set(pairs) == expected


def test_texts_of_several_runs_are_in_order_with_their_first_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.features.lake.exports.sets.texts._RUN_BYTES", 2000)
    drawn = random.Random(1)
    given = [(drawn.choice(("ä", "z", "", "😀")) + str(drawn.randrange(300)), number) for number in range(2000)]
    first: dict[str, int] = {}
    for text, number in given:
        first.setdefault(text, number)
    made = sorted_texts(given, tmp_path)
    assert [made[rank] for rank in range(len(made))] == sorted(first.items())
    assert not list(tmp_path.iterdir())
    assert len(sorted_texts([], tmp_path)) == 0


def test_different_names_are_counted_once() -> None:
    names = Distinct()
    for number in range(30_000):
        names.add(f"user-{number % 9000}")
    assert len(names) == 9000


def test_rows_come_back_as_they_were(found: list[Interaction], tmp_path: Path) -> None:
    rows = held(found[:300], tmp_path)
    assert list(rows) == found[:300]
    assert rows[-1] == found[299]
    assert rows[10:12] == found[10:12]
    with pytest.raises(IndexError):
        rows[300]
    assert os.stat(tmp_path / "rows").st_mode & 0o077 == 0


def test_rows_that_go_leave_files_that_the_manifest_tells(found: list[Interaction], tmp_path: Path) -> None:
    done = make(ExportRequest("sft", "openai"), Material(found[:200]), "acme", 0.0, tmp_path)
    gone = {each.answer_id for each in found[:200:7]}
    (tmp_path / "after").mkdir()
    count, files, manifest = rewritten(done.files, gone, tmp_path / "after")
    assert count == len(gone & set(done.answers))
    assert manifest["rows"] == done.manifest["rows"] - count
    for name, about in manifest["files"].items():
        assert hashlib.sha256(files[name].read_bytes()).hexdigest() == about["sha256"]


async def test_folders_of_dead_processes_are_swept_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    async with workplace(tmp_path) as folder:
        (folder / "rows").write_text("words")
        assert os.stat(folder).st_mode & 0o077 == 0
        assert sweep_workplaces(tmp_path) == 0
        assert folder.exists()
    assert not list(works(tmp_path).iterdir())


_HOLDS = """
import asyncio, sys
from pathlib import Path
from mainspring.features.lake.exports.workplace import workplace

async def hold():
    async with workplace(Path(sys.argv[1])) as folder:
        (folder / "rows").write_text("words")
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(hold())
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that makes an export and never ends."""
    processes: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", _HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()


_POOL = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from mainspring.features.lake.build.ending import ends_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), ends_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


@pytest.mark.slow
def test_a_process_of_a_pool_ends_with_the_one_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "pool.py").write_text(_POOL)
    with subprocess.Popen([sys.executable, str(tmp_path / "pool.py")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = Path(f"/proc/{int(process.stdout.readline())}")
        assert child.exists()
        process.kill()
        process.wait()
    deadline = time.monotonic() + 60
    while child.exists() and "Z" not in (child / "stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_nothing_is_left_of_an_export_that_was_killed(
    tmp_path: Path, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    dead, lives = holder(), holder()
    assert len(list(works(tmp_path).glob("*/rows"))) == 2
    assert sweep_workplaces(tmp_path) == 0
    os.kill(dead.pid, signal.SIGKILL)
    dead.wait()
    assert sweep_workplaces(tmp_path) == 1
    assert len(list(works(tmp_path).iterdir())) == 2  # the folder and the lock of the one that lives
    lives.kill()
    lives.wait()
    (works(tmp_path) / "export-old.lock").touch()
    os.utime(works(tmp_path) / "export-old.lock", (time.time() - 7200,) * 2)
    assert sweep_workplaces(tmp_path) == 1
    assert not list(works(tmp_path).iterdir())
