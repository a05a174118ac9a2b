"""The sandbox of the settings."""

from __future__ import annotations

from mainspring.agents.sandbox.base import Sandbox, SandboxLimits
from mainspring.agents.sandbox.kinds import SANDBOX
from mainspring.core import plugins
from mainspring.features.toolsets.settings import SandboxSettings


def sandbox(settings: SandboxSettings) -> Sandbox:
    """Nothing of it is started before the first run. Raises ``SettingsError``."""
    return plugins.registry().make(SANDBOX, settings.kind, settings)


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
