"""How far a run is, as one line of a terminal."""

from __future__ import annotations

import sys
import time

from mainspring.terminal import show


class StepLine:
    """A line on stderr: on a terminal one that changes, else a new one each while."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._told, self._at = "", 0.0

    def __call__(self, state: str, step: int, figures: dict[str, float], seconds: float) -> None:
        shown = " ".join(f"{name} {value:.4g}" for name, value in list(figures.items())[:4])
        line = f"{state}, step {step}, {seconds:.0f} s {shown}".strip()
        now = time.monotonic()
        if self._quiet or line == self._told or (not self._terminal and now - self._at < 10):
            return
        self._told, self._at = line, now
        sys.stderr.write(f"\r\x1b[K{show.printable(line)}" if self._terminal else f"{show.printable(line)}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._told and self._terminal:
            sys.stderr.write("\n")
