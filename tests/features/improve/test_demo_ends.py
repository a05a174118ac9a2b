"""The server of the demonstration ends with whoever started it, in whatever way that ends."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SERVER = """
import fcntl, os, sys, time
held = open(os.environ["MAINSPRING_HOME"] + "/held", "w")
fcntl.flock(held, fcntl.LOCK_EX)
print("ms-" + 24 * "a", "serves on http://127.0.0.1:" + sys.argv[2], flush=True)
time.sleep(120)
"""
CALLER = f"""
import asyncio, sys
from pathlib import Path
from mainspring.features.improve.demo import server

server.COMMAND = (sys.executable, "-c", {SERVER!r})

async def main(home):
    async with server.served(home, home):
        print("there", flush=True)
        await asyncio.sleep(120)

asyncio.run(main(Path(sys.argv[1])))
"""
_PATIENCE_S = 60.0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells it that its caller was killed")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -9)])
def test_the_server_ends_with_its_caller(number: signal.Signals, status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CALLER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert caller.stderr is not None
        said = caller.stdout.readline()
        assert said == "there\n", caller.stderr.read()
        assert not let_go(tmp_path, 0)
        caller.send_signal(number)
        assert caller.wait(_PATIENCE_S) == status
        assert "Traceback" not in caller.stderr.read()
    assert let_go(tmp_path, _PATIENCE_S)


def let_go(home: Path, seconds: float) -> bool:
    """Whether the server ends within so many seconds: it holds a lock while it lives."""
    until = time.monotonic() + seconds
    with (home / "held").open() as held:
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                time.sleep(0.1)
            else:
                return True
