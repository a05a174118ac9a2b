"""A run by several processes: which of them this one is, and how those of one machine are started.

The processes of one machine meet in files, and listen on the loopback interface alone: what they say to each other is
not sealed. Those of several machines are started by ``torchrun``, and listen where it tells them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from mainspring.training.folder import Folder

_MADE, _FAILED, _STOPPED = 0, 1, 3
_LOOK_S, _PATIENCE_S = 0.1, 10.0
_MEETING = "TRAINING_MEETING"
_numbers = itertools.count()
# What gloo and NCCL listen on; somebody who sets them means it.
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")

# ``torchrun`` and the starter below tell a process its place by the environment, before anything is read: no setting
# and no file of the run can say it. Nothing else in training reads it.


def rank() -> int:
    """The number of this process among those of the run, from 0."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Its number among those of this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def count() -> int:
    """How many processes the run has."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def started() -> bool:
    """Whether this is one of the processes of a run, and not the one that starts them."""
    return "RANK" in os.environ


def meeting() -> dict[str, str | int]:
    """How the processes find each other, as ``torch.distributed.init_process_group`` takes it."""
    folder = os.environ.get(_MEETING)
    if not folder:
        return {}
    # A file serves once: what they wrote at an earlier meeting would be taken for this one's.
    return {"init_method": f"file://{folder}/{next(_numbers)}", "rank": rank(), "world_size": count()}


def surroundings(place: str, size: int) -> Iterator[dict[str, str]]:
    """The environment of each of ``size`` processes of this machine that meet in the empty folder ``place``."""
    both = {"WORLD_SIZE": str(size), _MEETING: place}
    for number in range(size):
        own = {**dict.fromkeys(_INTERFACES, _loopback()), "OMP_NUM_THREADS": "1", **os.environ}
        yield {**own, **both, "RANK": str(number), "LOCAL_RANK": str(number)}


def several(folder: Folder, size: int) -> int:
    """The status of the run, as ``training.child`` tells it. SIGTERM has all of them stop after a checkpoint."""
    place = folder.path / "meeting"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    child = (sys.executable, "-m", "mainspring.training.child", str(folder.path), str(os.getpid()), "held")
    # They ask each other after each step: a request to one holds for all.
    signal.signal(signal.SIGTERM, lambda *_: folder.stop())
    begun = [subprocess.Popen(child, env=own) for own in surroundings(str(place.absolute()), size)]  # noqa: S603 - our own
    status = _over(begun)
    shutil.rmtree(place, ignore_errors=True)
    if folder.made is not None:
        return _MADE
    if folder.error is not None:
        return _FAILED
    return _STOPPED if status == 0 else status


def _over(begun: Sequence[subprocess.Popen[bytes]]) -> int:
    """The first status that is none of success; then the others, which would wait for that process, are ended."""
    while True:
        found = [each.poll() for each in begun]
        if failed := next((each for each in found if each), 0):
            break
        if None not in found:
            return 0
        time.sleep(_LOOK_S)
    for each in begun:
        with contextlib.suppress(ProcessLookupError):
            each.terminate()
    end = time.monotonic() + _PATIENCE_S
    for each in begun:
        try:
            each.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()
    return failed


def _loopback() -> str:
    names = [name for _, name in socket.if_nameindex()]
    return next((each for each in ("lo", "lo0") if each in names), "lo")
