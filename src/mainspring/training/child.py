"""The process of a run: ``python -m mainspring.training.child FOLDER [PARENT]``.

The exit status is 0 if something was made, 3 if the run stopped after a checkpoint and can go on, 4 if another process
works in the folder, 1 if it failed for a reason that ``error.json`` tells. Several processes of one run share the
folder (``training.several``); the first one writes. If PARENT, the process that started it, ends, the run stops after a
checkpoint.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from mainspring.core.errors import MainspringError, ModelError, StorageFull
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.lock import RunLock
from mainspring.training.recipe import Interrupted
from mainspring.training.recipes import find
from mainspring.training.run import Run
from mainspring.training.several import rank, several, started

MADE, FAILED, STOPPED, TAKEN = 0, 1, 3, 4
_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""From glibc's ``malloc.h``."""
_KEPT, _BLOCK = 2**29, 2**27


def main(path: str, parent: int = 0, *, held: bool = False) -> int:
    """``held``: the process that started this one holds the folder's lock, and tells the status."""
    folder = Folder(Path(path))
    asked = folder.asked
    first = rank() == 0
    lock = RunLock(folder.path)
    if held:
        # Every other status is taken for a crash. Niceness is handed down.
        status = _run(folder, replace(asked, nice=0), parent, first=first)
        return MADE if status == STOPPED else status
    if first and not lock.take():
        return TAKEN
    try:
        return _run(folder, asked, parent, first=first)
    finally:
        lock.release()


def _run(folder: Folder, asked: RunRequest, parent: int, *, first: bool) -> int:
    if asked.nice:
        os.nice(asked.nice)
    if asked.threads:
        os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    # Threads that wait must not spin: beside a server, or a second run, a step costs a fifth of the time then.
    for name, value in (("OMP_WAIT_POLICY", "passive"), ("GOMP_SPINCOUNT", "0"), ("KMP_BLOCKTIME", "0")):
        os.environ.setdefault(name, value)
    _keep_freed_memory()
    # Nothing is fetched from a hub while a run is under way.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if first:
        (folder.path / "error.json").unlink(missing_ok=True)
    folder.prepare()
    try:
        run = Run(find(asked.recipe), folder, asked)
        run.on_terminate()
        if parent:
            _first_to_go()
            if not _stop_with(parent):
                return STOPPED
        count = run.options.processes
        if count > 1 and not started():
            return several(folder, count)
        made = run.do()
        if run.main:
            folder.finish(made)
    except Interrupted:
        return STOPPED
    except MainspringError as error:
        return _failed(folder, error)
    except MemoryError:
        problem = "the run needs more memory than there is"
        return _failed(folder, ModelError(problem, remedy="Use a smaller batch or length"))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        problem = "the disk is full; the latest checkpoint is whole"
        return _failed(folder, StorageFull(problem, remedy="Free space, and resume the run"))
    return MADE


def _failed(folder: Folder, error: MainspringError) -> int:
    """Beside ``error.json`` in the output: on a cluster people read that."""
    folder.fail(error)
    sys.stderr.write(f"{error}\n")
    return FAILED


def _keep_freed_memory() -> None:
    """Have glibc keep blocks of up to 128 MB that a step frees, 512 MB of them, for the next one: fetching them anew
    from the kernel costs up to a quarter of a step on CPU."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None).mallopt
        allocator(_M_MMAP_THRESHOLD, _BLOCK)
        allocator(_M_TRIM_THRESHOLD, _KEPT)


def _first_to_go() -> None:
    """Have the kernel end this process, and those that it starts, before the server when memory is short."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _stop_with(parent: int) -> bool:
    """Have SIGTERM sent to this process when the one that started it ends; False: it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:3]), held=sys.argv[3:] == ["held"]))
