"""The larger chat model: served beside those of ``models.chat`` if the configuration names none and the machine has
enough memory.

``mainspring up`` does not wait for it. If it is on this machine, it is served from the start. Otherwise
``BackgroundPull`` pulls it while the server runs, and it is loaded when it is complete.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mainspring.core.errors import Conflict, MainspringError, ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.entries import ModelEntry
from mainspring.engines.catalogue.pull import PulledModel, Puller

State = Literal["waiting", "pulling", "loading", "served", "failed"]
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Another process that pulls the same model is waited for; a line that is down is tried again, ever more seldom.
_ELSEWHERE_S = 5.0
_AGAIN_S = (60.0, 300.0, 1800.0)


def memory_bytes(limits: tuple[Path, ...] = _LIMITS) -> int:
    """The memory of this machine, or the limit of the container."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in limits:
        with contextlib.suppress(OSError, ValueError):
            found = min(found, int(path.read_text(encoding="ascii")))
    return found


@dataclass(frozen=True, slots=True)
class Choice:
    """``settings`` to serve with, the model that is ``coming`` (empty: none), and the ``reason`` if it is not
    obvious."""

    settings: Settings
    coming: str = ""
    reason: str = ""


def choose(settings: Settings, memory: int | None = None) -> Choice:
    """Whether the larger model is served, comes, or is left out, by ``memory`` in bytes (None: this machine's).

    Raises ``UnknownModel`` if ``models.larger`` is in no catalogue, and ``ModelError`` if its files are damaged.
    """
    models = settings.models
    name = models.larger
    if not name or "chat" in models.model_fields_set or name in models.chat:
        return Choice(settings)
    puller = Puller(settings)
    entry = puller.catalogue.get(name)
    has = memory_bytes() if memory is None else memory
    if has < entry.memory_bytes:
        return Choice(settings, reason=_too_small(entry, has, models.chat))
    try:
        puller.local(name)
    except ModelNotPulled:
        return Choice(settings, coming=name)
    return Choice(with_chat(settings, (*models.chat, name)))


def with_chat(settings: Settings, names: tuple[str, ...]) -> Settings:
    """``settings`` in which these chat models are served."""
    return settings.model_copy(update={"models": settings.models.model_copy(update={"chat": names})})


def _too_small(entry: ModelEntry, has: int, chat: tuple[str, ...]) -> str:
    return (
        f"{entry.name} needs a machine with {entry.memory_bytes / 1e9:.1f} GB of memory, here are {has / 1e9:.1f}: "
        f"{', '.join(chat)} answers (models.chat names others)"
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a model is that is coming. ``done`` of ``total`` within ``stage``; ``detail`` says what failed."""

    name: str
    state: State
    stage: str = ""
    done: int = 0
    total: int = 0
    detail: str = ""

    def __str__(self) -> str:
        share = f" {100 * self.done // self.total} %" if self.total else ""
        said = {
            "waiting": "waits for its turn",
            "pulling": f"is being pulled: {self.stage}{share}",
            "loading": "is being loaded",
            "served": "is served",
            "failed": f"could not be brought in: {self.detail}",
        }
        return f"{self.name} {said[self.state]}"


class _Stopped(Exception):
    """The server ends."""


class BackgroundPull:
    """Pulls a model in a thread of its own, which ends with the process; a later pull resumes with complete parts.

    ``arrived`` is called in that thread with the model once it is there.
    """

    def __init__(self, puller: Puller, name: str, arrived: Callable[[PulledModel], None]) -> None:
        self.progress = Progress(name, "waiting")
        self._puller = puller
        self._name = name
        self._arrived = arrived
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pull-{name}", daemon=True)

    @property
    def size_bytes(self) -> int:
        """Bytes to download in all."""
        return self._puller.catalogue.get(self._name).size_bytes

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience_s: float = 1.5) -> None:
        """Stop soon; complete files stay for the next time. A hub that is silent is not waited for: the thread, and a
        child that converts, end with the process."""
        self._stop.set()
        self._thread.join(patience_s)

    def tell(self, state: State, detail: str = "") -> None:
        """Report the state once the model is here."""
        self.progress = Progress(self._name, state, detail=detail)

    def _run(self) -> None:
        with contextlib.suppress(_Stopped):
            self._arrived(self._pulled())

    def _pulled(self) -> PulledModel:
        failures = 0
        while True:
            try:
                return self._puller.pull(self._name, self._report)
            except Conflict as error:
                self.tell("waiting", error.message)
                self._wait(_ELSEWHERE_S)
            except MainspringError as error:
                self.tell("failed", error.message)
                self._wait(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])
                failures += 1

    def _report(self, stage: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        self.progress = Progress(self._name, "pulling", stage, done, total)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        if self._stop.wait(max(0.0, until - time.monotonic())):
            raise _Stopped
