"""Figures of a run as TensorBoard reads them, if it is installed where the run is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Board:
    """Writes scalars into ``folder``, or nothing without TensorBoard. A run that goes on adds a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None
        self._missing = False

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        if self._missing:
            return
        if self._writer is None:
            try:
                from tensorboard.compat.proto.event_pb2 import Event
                from tensorboard.compat.proto.summary_pb2 import Summary
                from tensorboard.summary.writer.event_file_writer import EventFileWriter
            except ImportError:
                self._missing = True
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer, self._event, self._summary = EventFileWriter(str(self._folder)), Event, Summary
        import time

        values = [self._summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=self._summary(value=values)))
        self._writer.flush()
