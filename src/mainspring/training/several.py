"""A run by several processes of this machine, which ``torchrun`` starts."""

from __future__ import annotations

import signal
import subprocess
import sys

from mainspring.training.folder import Folder

_MADE, _FAILED, _STOPPED = 0, 1, 3


def several(folder: Folder, count: int) -> int:
    """The status of the run, as ``training.child`` tells it. SIGTERM has all of them stop after a checkpoint."""
    started = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count))
    child = ("-m", "mainspring.training.child", str(folder.path), "0", "held")
    process = subprocess.Popen([sys.executable, *started, *child])  # noqa: S603 - our own module
    # They ask each other after each step: what one was told holds for all.
    signal.signal(signal.SIGTERM, lambda *_: folder.stop())
    status = process.wait()
    if folder.made is not None:
        return _MADE
    if folder.error is not None:
        return _FAILED
    return _STOPPED if status == 0 else status
