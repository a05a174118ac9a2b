"""The jail that is started ahead: used once, renewed, ended, and never needed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mainspring.agents.sandbox.base import SandboxLimits
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from tests.agents.sandbox.test_attempts import jailed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
MARK = "import os, sys\nfound = getattr(sys, 'left', 0), os.listdir('/tmp')\nsys.left = 1\nopen('/tmp/x', 'w')\nfound"


@pytest_asyncio.fixture
async def box() -> AsyncIterator[BubblewrapSandbox]:
    made = BubblewrapSandbox()
    yield made
    await made.aclose()
    assert not jailed()


async def test_each_run_has_a_process_of_its_own_which_was_started_before(box: BubblewrapSandbox) -> None:
    for number in range(3):
        await box.ready()
        # Nothing is started before the first run; then each run takes the one that waits.
        assert box.began == (number + 1 if number else 0)
        assert (await box.run(MARK)).value == [0, []]
    await box.ready()
    assert box.began == 4


async def test_several_at_once_take_one_that_waits_and_start_the_others(box: BubblewrapSandbox) -> None:
    await box.run("1")
    await box.ready()
    found = await asyncio.gather(*(box.run(MARK) for _ in range(4)))
    assert [each.value for each in found] == [[0, []]] * 4
    await box.ready()
    # At any time one waits, not more.
    assert len(lonely()) == 1


async def test_one_that_died_is_not_missed(box: BubblewrapSandbox) -> None:
    await box.run("1")
    await box.ready()
    for number in lonely():
        os.killpg(number, signal.SIGKILL)
    assert (await box.run("6 * 7")).value == 42


async def test_one_of_other_limits_is_ended(box: BubblewrapSandbox) -> None:
    await box.run("1")
    await box.ready()
    small = SandboxLimits(disk=2**20)
    found = await box.run("import os\nos.statvfs('.').f_blocks * os.statvfs('.').f_frsize", {}, small)
    assert found.value == 2**20


async def test_one_that_nobody_needs_is_ended() -> None:
    box = BubblewrapSandbox(spare_s=0.2)
    await box.run("1")
    await box.ready()
    assert lonely()
    async with asyncio.timeout(20):
        while jailed():
            await asyncio.sleep(0.05)
    assert (await box.run("6 * 7")).value == 42
    await box.aclose()
    off = BubblewrapSandbox(spare_s=0)
    await off.run("1")
    assert off.began == 1
    assert not jailed()


def lonely() -> list[int]:
    """The process groups of the jails that wait."""
    return sorted({os.getpgid(int(each)) for each in map(str, _children()) if os.getpgid(int(each)) != os.getpgid(0)})


def _children() -> list[int]:
    found = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as file:
            found += [int(each) for each in file.read().split()]
    return found
