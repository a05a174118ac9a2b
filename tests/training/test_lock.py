"""The lock of a run's folder, beside somebody who looks at it."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from mainspring.training.lock import RunLock


def test_a_look_at_the_holder_keeps_nobody_out(tmp_path: Path) -> None:
    looked = os.open(tmp_path / "lock", os.O_RDONLY | os.O_CREAT)
    fcntl.flock(looked, fcntl.LOCK_SH)
    timer = threading.Timer(0.05, os.close, [looked])
    timer.start()
    lock = RunLock(tmp_path)
    assert lock.take()
    timer.join()
    lock.release()


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    first, second = RunLock(tmp_path), RunLock(tmp_path)
    assert first.take()
    assert not second.take()
    holder = second.holder()
    assert holder is not None
    assert (holder.pid, holder.here) == (os.getpid(), True)
    first.release()
    assert second.take()
    second.release()
