"""A process with all that it started, as ``/proc`` tells of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_PROC = Path("/proc")


def below(pid: int) -> list[int]:
    """The process, and those that it and its own started and that still run; in groups of their own, too."""
    children: dict[int, list[int]] = {}
    for name in os.listdir(_PROC) if _PROC.exists() else ():
        if name.isdecimal() and (parent := _parent(int(name))) is not None:
            children.setdefault(parent, []).append(int(name))
    found = [pid]
    for each in found:
        found += children.get(each, ())
    return found


def memory_mb(pids: Sequence[int]) -> float:
    """What they have in memory together; what several share counts once."""
    if len(pids) == 1:
        return _resident(pids[0])
    return sum(_shared(pid) for pid in pids)


def _parent(pid: int) -> int | None:
    try:
        said = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name of the program stands in parentheses, and may hold anything.
    return int(said.rpartition(")")[2].split()[1])


def _resident(pid: int) -> float:
    try:
        said = (_PROC / str(pid) / "statm").read_text()
    except OSError:
        return 0.0
    return int(said.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _shared(pid: int) -> float:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return _resident(pid)
