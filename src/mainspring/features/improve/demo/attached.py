"""``python -m mainspring.features.improve.demo.attached PID COMMAND ...``: the command, which ends with its caller.

On Linux the kernel sends it SIGTERM when the thread that started it ends, however that comes about. Elsewhere it is the
command alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def attached(command: tuple[str, ...]) -> tuple[str, ...]:
    """``command``, as whoever calls this starts it."""
    return (sys.executable, "-m", __name__, str(os.getpid()), *command)


def main(parent: int, command: list[str]) -> None:
    """Become the command, unless the process ``parent`` has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
