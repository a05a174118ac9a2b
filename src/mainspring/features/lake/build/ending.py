"""Children of pools end with the process that started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait


def ends_with_parent() -> None:
    """Have this process end with the one that started it: a child whose parent was killed waits for work for ever."""
    if (parent := parent_process()) is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), name="lake: follow", daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
