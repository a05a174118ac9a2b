"""The sandbox of the settings."""

from __future__ import annotations

from mainspring.agents.sandbox.base import Sandbox, SandboxLimits
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.agents.sandbox.gvisor import GvisorSandbox
from mainspring.agents.sandbox.monty import MontySandbox
from mainspring.features.toolsets.settings import SandboxSettings


def sandbox(settings: SandboxSettings) -> Sandbox:
    """Nothing of it is started before the first run. Raises ``SettingsError``."""
    if settings.kind == "monty":
        return MontySandbox(settings.concurrent)
    if settings.kind == "bubblewrap":
        return BubblewrapSandbox(settings.concurrent, settings.packages, settings.python)
    return GvisorSandbox(settings.concurrent, settings.packages, settings.python, settings.runsc)


def limits(settings: SandboxSettings, seconds: float | None = None) -> SandboxLimits:
    """The limits of a run; ``seconds`` may shorten it."""
    return SandboxLimits(
        seconds=min(settings.seconds, seconds or settings.seconds),
        memory=settings.memory_mb * 2**20,
        output=settings.output,
        disk=settings.disk_mb * 2**20,
        files=settings.files,
        processes=settings.processes,
    )
