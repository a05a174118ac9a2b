"""Large uploads: one of a tenant is written at a time, and what is looked at is looked at in parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core import cards
from mainspring.core.settings import Settings
from mainspring.stores import Stores
from mainspring.stores.documents import files as files_module
from mainspring.stores.documents.files import LARGE, REQUESTS


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path / "home")) as found:
        yield found


async def test_one_large_file_of_a_tenant_is_written_at_a_time(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    writing: dict[int, int] = {}
    most: dict[int, int] = {}
    done: list[int] = []
    put = opened.files._blobs.put

    async def counted(data: bytes) -> str:
        whose = data[0]
        writing[whose] = writing.get(whose, 0) + 1
        most[whose] = max(most.get(whose, 0), writing[whose])
        await asyncio.sleep(0.02)
        sha256 = await put(data)
        writing[whose] -= 1
        done.append(whose)
        return sha256

    monkeypatch.setattr(opened.files._blobs, "put", counted)
    loud = [opened.files.add("loud", f"{n}.txt", b"L" * LARGE + str(n).encode(), "assistants") for n in range(5)]
    small = [opened.files.add("loud", f"s{n}.txt", b"S%d" % n, "assistants") for n in range(3)]
    quiet = opened.files.add("quiet", "q.txt", b"Q" * LARGE, "assistants")
    found = await asyncio.gather(*loud, *small, quiet)
    assert len({each.id for each in found}) == 9
    assert most[ord("L")] == 1
    assert most[ord("S")] > 1
    # Neither the small ones nor another tenant stood in that line.
    assert {ord("Q"), ord("S")} <= set(done[:5])
    assert not opened.files._lines


async def test_lines_of_a_batch_are_looked_at_in_parts(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    scrub = cards.scrub_lines

    def counted(data: bytes) -> bytes:
        looked.append(len(data))
        return scrub(data)

    monkeypatch.setattr(cards, "scrub_lines", counted)
    line = b'{"custom_id":"%d","body":{"input":"pay with 4111 1111 1111 1111 please"}}\n'
    data = b"".join(line % number for number in range(10_000)) + b"no end of a line 4111111111111111"
    info = await opened.files.add("acme", "b.jsonl", data, REQUESTS)
    kept = await opened.files.content("acme", info.id)
    assert kept == scrub(data)
    assert b"4111 1111" not in kept
    assert max(looked) <= files_module._AT_ONCE + len(line) + 8
    assert sum(looked) == len(data)
