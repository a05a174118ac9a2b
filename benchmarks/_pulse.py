"""Asks a server every 20 ms whether it lives, from a process of its own, and keeps the longest wait for an answer.

A wait counts as far as the server used the processor in it: others on the machine make it wait as well.
"""

from __future__ import annotations

import http.client
import mmap
import struct
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

from _server import cpu_seconds

_FIGURE = struct.Struct("=d")
EVERY_S = 0.02


class Pulse:
    """The longest wait since ``begin``."""

    def __init__(self, url: str, pid: int) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="mainspring-pulse-")  # noqa: SIM115
        self._file.write(bytes(_FIGURE.size))
        self._file.flush()
        self._shared = mmap.mmap(self._file.fileno(), _FIGURE.size)
        self._process = subprocess.Popen([sys.executable, __file__, url, str(pid), self._file.name])

    def begin(self) -> None:
        """Forget what was."""
        _FIGURE.pack_into(self._shared, 0, 0.0)

    def longest(self) -> float:
        """Seconds; the wait that is on ends first."""
        time.sleep(EVERY_S)
        return float(_FIGURE.unpack_from(self._shared)[0])

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._file.close()


def _beat(url: str, pid: int, path: str) -> None:
    place = urlsplit(url)
    with open(path, "r+b") as file:
        shared = mmap.mmap(file.fileno(), _FIGURE.size)
    while True:
        began, used = time.monotonic(), cpu_seconds(pid)
        try:
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=600)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            connection.close()
        except (OSError, http.client.HTTPException):
            time.sleep(EVERY_S)
            continue
        waited = min(time.monotonic() - began, cpu_seconds(pid) - used)
        if waited > _FIGURE.unpack_from(shared)[0]:
            _FIGURE.pack_into(shared, 0, waited)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    _beat(sys.argv[1], int(sys.argv[2]), sys.argv[3])
