"""The sandboxes by their names."""

from __future__ import annotations

from typing import Protocol

from mainspring.agents.sandbox.base import Sandbox
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.agents.sandbox.gvisor import GvisorSandbox
from mainspring.agents.sandbox.monty import MontySandbox
from mainspring.core.plugins import Kind, Registry, hookimpl


class SandboxChoice(Protocol):
    """What the settings say of the sandbox."""

    @property
    def concurrent(self) -> int: ...

    @property
    def packages(self) -> tuple[str, ...]: ...

    @property
    def python(self) -> str: ...

    @property
    def spare_s(self) -> float: ...

    @property
    def runsc(self) -> str: ...


SANDBOX: Kind[[SandboxChoice], Sandbox] = Kind(
    "sandbox", Sandbox, ("settings",), builtins="mainspring.agents.sandbox.kinds", setting="sandbox.kind"
)
"""What runs the code of agents."""


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """Register mainspring's own."""
    registry.add(SANDBOX, "monty", _monty)
    registry.add(SANDBOX, "bubblewrap", _bubblewrap)
    registry.add(SANDBOX, "gvisor", _gvisor)


def _monty(settings: SandboxChoice) -> Sandbox:
    return MontySandbox(settings.concurrent)


def _bubblewrap(settings: SandboxChoice) -> Sandbox:
    return BubblewrapSandbox(settings.concurrent, settings.packages, settings.python, settings.spare_s)


def _gvisor(settings: SandboxChoice) -> Sandbox:
    return GvisorSandbox(settings.concurrent, settings.packages, settings.python, settings.runsc)
