"""Attempts to break out, over both sandboxes; and without one, where they must succeed."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainspring.agents.sandbox.base import Sandbox, SandboxLimits
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.agents.sandbox.gvisor import GvisorSandbox
from mainspring.agents.sandbox.monty import MontySandbox
from mainspring.core.errors import SettingsError
from tests.agents.sandbox.attempts import ALL, Attempt

LIMITS = SandboxLimits(seconds=1.0, memory=128 * 2**20, output=20_000, disk=2**20, files=8, processes=8)
NO_BWRAP = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
SECRET = "CANARY-7f3a9c21"
BOXES = [pytest.param("monty"), pytest.param("bubblewrap", marks=[NO_BWRAP, pytest.mark.slow])]
# One loop for all: the interpreters are kept.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What there is to be found: a secret, a database, a module, open descriptors, ports, an environment."""
    folder = tmp_path_factory.mktemp("server")
    folder.chmod(0o755)
    (folder / "secret").write_text(SECRET)
    (folder / "keys.db").write_text(SECRET)
    (folder / "planted.py").write_text("")
    os.environ["CANARY_TOKEN"] = SECRET
    abstract = f"mainspring-{os.getpid()}"
    listening, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    unix.bind(f"\0{abstract}")
    unix.listen()
    opened = os.open(folder, os.O_RDONLY)
    os.set_inheritable(opened, True)
    yield {
        "secret": str(folder / "secret"),
        "folder": str(folder),
        "pid": str(os.getpid()),
        "port": str(listening.getsockname()[1]),
        "abstract": abstract,
    }
    os.close(opened)
    listening.close()
    unix.close()
    del os.environ["CANARY_TOKEN"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def boxes() -> AsyncIterator[dict[str, Sandbox]]:
    made: dict[str, Any] = {"monty": MontySandbox()}
    if shutil.which("bwrap"):
        made["bubblewrap"] = BubblewrapSandbox()
    yield made
    for each in made.values():
        await each.aclose()


FEW = (
    "environ-of-init",
    "secret",
    "symlink",
    "signal-the-server",
    "own-server",
    "memory",
    "fork-bomb",
    "endless",
    "disk",
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("runsc") is None, reason="gVisor is not installed")
async def test_no_attempt_succeeds_in_gvisor(target: dict[str, str]) -> None:
    box = GvisorSandbox()
    for attempt in [each for each in ALL if each.name in FEW]:
        result = await box.run(filled(attempt.code, target), {}, LIMITS)
        assert "ESCAPED" not in result.stdout, attempt.name
        assert SECRET not in f"{result}"
        assert bool(result.error) >= attempt.stopped, attempt.name
    assert (await box.run("6 * 7")).value == 42


async def test_what_is_missing_is_reported_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for box, word in ((GvisorSandbox(), "runsc"), (BubblewrapSandbox(), "bubblewrap")):
        with pytest.raises(SettingsError, match=word):
            await box.run("1")


def filled(code: str, target: dict[str, str]) -> str:
    for name, value in target.items():
        code = code.replace(f"{{{name}}}", value)
    return code


def test_there_are_enough_attempts() -> None:
    assert len(ALL) >= 60
    assert len({each.name for each in ALL}) == len(ALL)


@pytest.mark.parametrize("attempt", ALL, ids=lambda each: each.name)
@pytest.mark.parametrize("box", BOXES)
async def test_no_attempt_succeeds(
    attempt: Attempt, box: str, boxes: dict[str, Sandbox], target: dict[str, str], tmp_path: Path
) -> None:
    if box not in boxes:
        pytest.skip("bubblewrap is not installed")
    began, before = time.process_time(), set(Path("/tmp").iterdir())
    result = await boxes[box].run(filled(attempt.code, target), {"given.txt": b"x"}, LIMITS)
    assert "ESCAPED" not in result.stdout
    assert SECRET not in f"{result}"
    assert not any(SECRET.encode() in each for each in result.files.values())
    if attempt.stopped:
        assert result.error
    # Whatever it does, what comes out is bounded, and the server does next to nothing for it.
    assert len(result.stdout) <= LIMITS.output + 100
    assert len(str(result.value)) <= 5 * LIMITS.output
    assert sum(map(len, result.files.values())) <= LIMITS.disk
    assert len(result.files) <= LIMITS.files
    assert time.process_time() - began < 2
    assert not list(Path(target["folder"]).glob("escaped*"))
    # The next run finds nothing of it, and works.
    after = await boxes[box].run("import os\nsorted(os.listdir('.'))", {}, LIMITS)
    assert after.value == [], after
    assert {each.name for each in set(Path("/tmp").iterdir()) - before if each.name.startswith("box")} == set()


@pytest.mark.slow
@pytest.mark.parametrize("attempt", [each for each in ALL if each.plain], ids=lambda each: each.name)
async def test_it_would_succeed_without_a_sandbox(attempt: Attempt, target: dict[str, str], tmp_path: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", filled(attempt.code, target)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        close_fds=False,
        timeout=20,
    )
    assert "ESCAPED" in done.stdout, (done.stdout, done.stderr[-500:])


@pytest.mark.parametrize("box", BOXES)
async def test_nothing_is_left_by_a_run_that_its_caller_gives_up(box: str, boxes: dict[str, Sandbox]) -> None:
    if box not in boxes:
        pytest.skip("bubblewrap is not installed")
    running = asyncio.create_task(boxes[box].run("while True: pass", {}, SandboxLimits(seconds=2)))
    await asyncio.sleep(0.3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await boxes[box].run("1 + 1")).value == 2
    # One jail may wait for the next run; it ends with the sandbox.
    if "bubblewrap" in boxes:
        await boxes["bubblewrap"].aclose()
    assert not jailed()


def jailed() -> list[str]:
    """The processes of jails, of the whole machine's those that this one has started."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = each.read_text().rsplit(")", 1)
            line = (each.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if "bwrap" in name and rest.split()[1] == str(os.getpid()) and line:
            found.append(name)
    return found
