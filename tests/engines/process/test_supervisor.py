from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import EngineDied, InvalidRequest, ModelError
from mainspring.engines.process import file_damage
from mainspring.engines.process.protocol import Frames, Message, encode
from mainspring.engines.process.restarts import RestartPolicy
from mainspring.engines.process.supervisor import Supervisor

QUICK = RestartPolicy(first=0.01, longest=0.02, attempts=3)
ECHO = """
def serve(channel, configuration):
    channel.send({"ready": {"name": configuration["name"]}})
    while True:
        for message in channel.receive(wait=True):
            channel.send(message)
"""


class Child:
    """A child module written for one test, and what its supervisor heard."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.deaths: list[str] = []

    def supervise(self, body: str, **options: object) -> Supervisor:
        imports = "import os, signal, sys, time\nfrom mainspring.engines.process.protocol import run_child"
        code = f"{imports}\n{body}\nrun_child(serve)\n"
        (self.directory / "child_under_test.py").write_text(code)
        return Supervisor(
            "child_under_test",
            {"name": "echo", "directory": str(self.directory)},
            name="test",
            on_message=self.heard.put_nowait,
            on_death=self.deaths.append,
            **{"policy": QUICK, "start_timeout": 30.0} | options,  # type: ignore[arg-type]
        )


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Child:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Child(tmp_path)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_handshake_then_messages(child: Child) -> None:
    supervisor = child.supervise(ECHO)
    with pytest.raises(EngineDied):
        supervisor.send({"early": True})
    await supervisor.start()
    assert supervisor.greeting == {"name": "echo"}
    supervisor.send({"text": "ünï" * 500_000})
    supervisor.send({"text": "second"})
    assert await child.heard.get() == {"text": "ünï" * 500_000}
    assert await child.heard.get() == {"text": "second"}
    with pytest.raises(InvalidRequest):
        supervisor.send({"text": "\ud800"})
    await supervisor.close()


def test_spawns_before_there_is_a_loop(child: Child) -> None:
    supervisor = child.supervise(ECHO)
    supervisor.spawn()
    pid = supervisor.pid

    async def attach() -> None:
        await supervisor.start()
        assert supervisor.pid == pid
        await supervisor.close()

    asyncio.run(attach())
    assert pid is not None
    assert not alive(pid)


async def test_never_ready_carries_its_last_words(child: Child) -> None:
    supervisor = child.supervise("def serve(channel, configuration): raise OSError('no weights at all')")
    with pytest.raises(ModelError, match="no weights at all"):
        await supervisor.start()
    assert supervisor.state == "failed"
    with pytest.raises(ModelError):
        await supervisor.ready(1)
    await supervisor.close()


async def test_crash_while_loading_names_the_file_and_the_remedy(child: Child) -> None:
    body = "def serve(channel, configuration): print('reading tensors', file=sys.stderr); sys.stderr.flush(); "
    supervisor = child.supervise(body + "os.kill(os.getpid(), signal.SIGSEGV)", remedy="Run: pull x --force")
    with pytest.raises(ModelError) as caught:
        await supervisor.start()
    assert "damaged" in str(caught.value)
    assert "reading tensors" in str(caught.value)
    assert "Run: pull x --force" in str(caught.value)
    await supervisor.close()


async def test_too_slow_to_load(child: Child) -> None:
    supervisor = child.supervise("def serve(channel, configuration): time.sleep(600)", start_timeout=0.5)
    with pytest.raises(ModelError, match=r"not ready within 0\.5 s"):
        await supervisor.start()
    await supervisor.close()


async def test_death_is_reported_and_repaired(child: Child) -> None:
    supervisor = child.supervise(ECHO)
    await supervisor.start()
    first = supervisor.pid
    supervisor.kill()
    await eventually(lambda: bool(child.deaths))
    assert "SIGKILL" in child.deaths[0]
    await supervisor.ready(30)
    assert supervisor.pid != first
    assert (supervisor.generation, supervisor.restarts) == (2, 1)
    supervisor.send({"again": 1})
    assert await child.heard.get() == {"again": 1}
    await supervisor.close()


async def test_waiting_for_a_restart_is_bounded(child: Child) -> None:
    slow = ECHO.replace("def serve(channel, configuration):", "def serve(channel, configuration):\n    wait()")
    body = (
        "def wait():\n    path = os.environ['PYTHONPATH'] + '/lived'\n"
        "    time.sleep(600) if os.path.exists(path) else open(path, 'w').close()\n"
    )
    supervisor = child.supervise(body + slow)
    await supervisor.start()
    supervisor.kill()
    await eventually(lambda: bool(child.deaths))
    with pytest.raises(EngineDied) as caught:
        await supervisor.ready(0.1)
    assert caught.value.retry_after
    await supervisor.close()


async def test_nothing_is_sent_to_a_child_that_was_killed(child: Child) -> None:
    supervisor = child.supervise(ECHO)
    await supervisor.start()
    supervisor.kill()
    with pytest.raises(EngineDied):
        supervisor.send({"lost": 1})
    await supervisor.ready(30)
    supervisor.send({"kept": 1})
    assert await child.heard.get() == {"kept": 1}
    await supervisor.close()


async def test_silence_is_death_only_while_there_is_work(child: Child) -> None:
    work: list[int] = []
    supervisor = child.supervise(ECHO, busy=lambda: bool(work), silence=0.2)
    await supervisor.start()
    await asyncio.sleep(0.6)
    assert not child.deaths
    work.append(1)
    await eventually(lambda: bool(child.deaths))
    work.clear()
    assert "it said nothing for 0.2 s" in child.deaths[0]
    await supervisor.ready(30)
    await supervisor.close()


async def test_a_child_that_speaks_does_not_hang(child: Child) -> None:
    body = (
        "def serve(channel, configuration):\n    channel.send({'ready': {}})\n"
        "    for _ in range(60):\n        time.sleep(0.05)\n        channel.send({})\n"
        "    channel.receive(wait=True)\n"
    )
    supervisor = child.supervise(body, busy=lambda: child.heard.qsize() < 60, silence=2.0)
    await supervisor.start()
    await eventually(lambda: child.heard.qsize() == 60 or bool(child.deaths))
    assert not child.deaths
    await supervisor.close()


BROKEN_WHILE = """
def serve(channel, configuration):
    if os.path.exists(configuration["directory"] + "/broken"):
        print("the weights make no sense", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    channel.send({"ready": {}})
    while True:
        for message in channel.receive(wait=True):
            channel.send(message)
"""


async def test_a_child_that_served_once_is_tried_for_ever(child: Child) -> None:
    supervisor = child.supervise(BROKEN_WHILE)
    await supervisor.start()
    broken = child.directory / "broken"
    broken.touch()
    supervisor.kill()
    await eventually(lambda: len(child.deaths) > 2 * QUICK.attempts)
    assert supervisor.state in ("starting", "backoff")
    assert supervisor.down_s > 0
    # Nobody waits for what has failed so often, and everybody is told why.
    with pytest.raises(EngineDied, match=r"crashed with SIGSEGV.*make no sense") as caught:
        await supervisor.ready(30)
    assert caught.value.retry_after == QUICK.longest
    broken.unlink()
    await eventually(lambda: supervisor.state == "ready")
    assert supervisor.down_s == 0
    await supervisor.ready(0.1)
    await supervisor.close()


@pytest.mark.parametrize("whole", [True, False])
async def test_a_crash_is_distinguished_from_a_broken_file(child: Child, whole: bool) -> None:
    weights = child.directory / "weights.bin"
    weights.write_bytes(b"as pulled")
    pulled = SimpleNamespace(
        directory=child.directory,
        manifest={"files": {"weights.bin": {"sha256": hashlib.sha256(b"as pulled").hexdigest()}}},
    )
    supervisor = child.supervise(BROKEN_WHILE, damaged=file_damage.of(pulled), remedy="pull it again")
    await supervisor.start()
    (child.directory / "broken").touch()
    if not whole:
        weights.write_bytes(b"half of it")
    supervisor.kill()
    if whole:
        await eventually(lambda: len(child.deaths) > QUICK.attempts)
        assert "though its files are whole" in child.deaths[-1]
        with pytest.raises(EngineDied):
            await supervisor.ready(1)
    else:
        # The first try tells: nobody waits for more of them.
        await eventually(lambda: len(child.deaths) > 1)
        with pytest.raises(ModelError, match=r"weights.bin is not the file that was pulled.*pull it again"):
            await supervisor.ready(30)
        weights.write_bytes(b"as pulled")
    (child.directory / "broken").unlink()
    await eventually(lambda: supervisor.state == "ready")
    await supervisor.close()


async def test_no_process_left_is_no_end(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = child.supervise(ECHO)
    await supervisor.start()

    def refuses(*_arguments: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr("mainspring.engines.process.supervisor.spawn", refuses)
        supervisor.kill()
        await eventually(lambda: len(child.deaths) > 2)
    assert "could not be started: Resource temporarily unavailable" in child.deaths[-1]
    await eventually(lambda: supervisor.state == "ready")
    await supervisor.close()


async def test_killed_again_and_again_it_serves_soon_after_the_last(child: Child) -> None:
    """A tenth of the time of benchmarks/kill_engine.py: every kill but the last comes while it starts or just has."""
    supervisor = child.supervise(ECHO, policy=RestartPolicy(first=0.01, longest=1.0))
    await supervisor.start()
    for _ in range(40):
        if supervisor.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervisor.pid, signal.SIGKILL)
        await asyncio.sleep(0.1)
    killed = time.monotonic()
    await eventually(lambda: supervisor.state == "ready")
    # It pauses for a second at most, and starts.
    assert time.monotonic() - killed < 30
    supervisor.send({"text": "alive"})
    assert await child.heard.get() == {"text": "alive"}
    await supervisor.close()


async def test_close_ends_a_child_that_ignores_everything(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.engines.process.supervisor._GRACE_S", 0.2)
    body = (
        "def serve(channel, configuration):\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    channel.send({'ready': {}})\n    while True: time.sleep(600)\n"
    )
    supervisor = child.supervise(body)
    await supervisor.start()
    pid = supervisor.pid
    assert pid is not None
    await supervisor.close()
    await supervisor.close()
    assert not alive(pid)
    with pytest.raises(EngineDied):
        supervisor.send({})


async def test_close_while_it_loads(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.engines.process.supervisor._GRACE_S", 0.2)
    supervisor = child.supervise("def serve(channel, configuration): time.sleep(600)")
    starting = asyncio.create_task(supervisor.start())
    await eventually(lambda: supervisor.pid is not None)
    pid = supervisor.pid
    assert pid is not None
    await supervisor.close()
    with pytest.raises(EngineDied):
        await starting
    assert not alive(pid)


@pytest.mark.parametrize("stop", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_child_ends_with_its_parent(child: Child, tmp_path: Path, stop: str) -> None:
    child.supervise(ECHO)
    parent = textwrap.dedent(f"""
        import os
        from mainspring.engines.process.supervisor import spawn
        print(spawn("child_under_test", {{"name": "echo"}}).process.pid, flush=True)
        {stop}
    """)
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, env=dict(os.environ))
    pid = int(done.stdout)
    end = time.monotonic() + 30
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    outlived = alive(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 9)
    assert not outlived


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53)), max_size=5), st.data())
def test_frames_survive_any_fragmentation(messages: list[Message], data: st.DataObject) -> None:
    stream = b"".join(map(encode, messages))
    frames, out, position = Frames(), [], 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream) - position))
        out += list(frames.feed(stream[position : position + size]))
        position += size
    assert out == messages


def test_frames_refuse_garbage() -> None:
    with pytest.raises(ValueError, match="exceeds"):
        list(Frames().feed(b"\xff" * 8))


def test_starts_are_apart_and_time_that_a_child_lived_is_not_waited_again() -> None:
    policy = RestartPolicy(first=0.1, longest=5.0)
    assert [round(policy.pause(failures, 0.0), 1) for failures in (0, 1, 2, 4, 9, 60)] == [0.0, 0.1, 0.2, 0.8, 5.0, 5.0]
    # What was killed while it loaded, every three seconds, for the fortieth time.
    assert policy.pause(40, 3.0) == 2.0
    assert policy.pause(40, 12.0) == 0.0
