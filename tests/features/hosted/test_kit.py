"""The tools of one request: files are measured before they are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mainspring.agents.sandbox.base import SandboxLimits
from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context, HostedTool, Principal, TraceParent
from mainspring.features.hosted.kit import Kits
from mainspring.features.hosted.settings import HostedSettings

LIMITS = SandboxLimits(disk=100, files=3)


class Files:
    """A store of files of given sizes, which notes what is read."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes, self.read = sizes, list[str]()

    async def get(self, _tenant: str, file_id: str, *, groups: frozenset[str]) -> Any:
        return SimpleNamespace(id=file_id, name=f"{file_id}.txt", bytes=self.sizes[file_id])

    async def content(self, _tenant: str, file_id: str, *, groups: frozenset[str]) -> bytes:
        self.read.append(file_id)
        return bytes(self.sizes[file_id])


@pytest.mark.parametrize(
    ("sizes", "read"),
    [
        ({"a": 60, "b": 40}, 2),
        ({"a": 60, "b": 41}, 0),
        ({"a": 1, "b": 1, "c": 1, "d": 1}, 0),
    ],
)
async def test_files_beyond_what_a_run_takes_are_refused_unread(sizes: dict[str, int], read: int) -> None:
    files = Files(sizes)
    rooms = SimpleNamespace(stores=SimpleNamespace(files=files))
    box = SimpleNamespace(name="monty")
    code = SimpleNamespace(box=lambda: box, limits=lambda: LIMITS, kept=lambda: None)
    kits = Kits(cast(Any, rooms), HostedSettings(), cast(Any, code))
    asked = [HostedTool("code_interpreter", {"file_ids": [*sizes, *sizes]})]
    context = Context(Principal("acme", "key_1"), TraceParent.new(), deadline=0.0)
    if read:
        assert len((await kits.made(asked, context, ())).tools) == 1
    else:
        with pytest.raises(InvalidRequest, match="at most 3 files of together 100 bytes"):
            await kits.made(asked, context, ())
    assert len(files.read) == read
