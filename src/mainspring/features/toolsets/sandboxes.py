"""The sandboxes, and the one that the settings name."""

from __future__ import annotations

from mainspring.agents.sandbox.base import Sandbox, SandboxLimits
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.agents.sandbox.gvisor import GvisorSandbox
from mainspring.agents.sandbox.monty import MontySandbox
from mainspring.core import plugins
from mainspring.core.plugins import Kind
from mainspring.features.toolsets.settings import SandboxSettings

SANDBOX: Kind[[SandboxSettings], Sandbox] = Kind(
    "sandbox", Sandbox, ("settings",), builtins="mainspring.features.toolsets.sandboxes", setting="sandbox.kind"
)
"""What runs the code of agents."""


@plugins.hookimpl
def mainspring_register(registry: plugins.Registry) -> None:
    """Register mainspring's own."""
    registry.add(SANDBOX, "monty", _monty)
    registry.add(SANDBOX, "bubblewrap", _bubblewrap)
    registry.add(SANDBOX, "gvisor", _gvisor)


def sandbox(settings: SandboxSettings) -> Sandbox:
    """Nothing of it is started before the first run. Raises ``SettingsError``."""
    return plugins.registry().make(SANDBOX, settings.kind, settings)


def _monty(settings: SandboxSettings) -> Sandbox:
    return MontySandbox(settings.concurrent)


def _bubblewrap(settings: SandboxSettings) -> Sandbox:
    return BubblewrapSandbox(settings.concurrent, settings.packages, settings.python)


def _gvisor(settings: SandboxSettings) -> Sandbox:
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
