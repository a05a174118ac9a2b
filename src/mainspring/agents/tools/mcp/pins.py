"""What was approved of a server's tools. A tool whose description changes after that is not offered before a person has
seen the change: the words of a tool are read by models, so that new words are new instructions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SeenTool:
    """A tool as its server shows it now; ``digest`` is of all that it says."""

    name: str
    digest: str
    description: str


class Pins(Protocol):
    """The approvals, by server. They outlive the process."""

    async def approved(self, server: str) -> Mapping[str, str]:
        """The approved digests, by the tool's own name."""
        ...

    async def approve(self, server: str, tools: tuple[SeenTool, ...], *, first: bool) -> None:
        """Approve these. ``first``: only if nothing of the server was approved before."""
        ...

    async def waiting(self, server: str, tools: tuple[SeenTool, ...]) -> None:
        """Note the tools that wait for a person, for those who look."""
        ...


class MemoryPins:
    """Approvals of this process."""

    def __init__(self) -> None:
        self._approved: dict[str, dict[str, str]] = {}
        self.seen: dict[str, tuple[SeenTool, ...]] = {}

    async def approved(self, server: str) -> Mapping[str, str]:
        return self._approved.get(server, {})

    async def approve(self, server: str, tools: tuple[SeenTool, ...], *, first: bool) -> None:
        if first and server in self._approved:
            return
        self._approved.setdefault(server, {}).update({each.name: each.digest for each in tools})

    async def waiting(self, server: str, tools: tuple[SeenTool, ...]) -> None:
        self.seen[server] = tools
