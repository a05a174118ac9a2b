"""Settings of tools and of the sandbox."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ToolSecret(Section):
    """A secret of tools: its value (``env:NAME`` or ``credential:NAME``), and the hosts that it may be sent to."""

    value: str
    hosts: tuple[str, ...] = Field(min_length=1)


class ToolDatabase(Section):
    """A database of SQL tools: its URL, and whether tools may write there if they ask for it."""

    url: str
    write: bool = False


class ToolSettings(Section):
    """What tools may reach."""

    secrets: dict[str, ToolSecret] = Field(
        default_factory=dict, description="secrets that tools send to servers, by their names; no model sees them"
    )
    databases: dict[str, ToolDatabase] = Field(
        default_factory=dict, description="databases of SQL tools (sqlite:///path, postgresql://...), by their names"
    )
    private_hosts: tuple[str, ...] = Field(
        (), description="hosts that HTTP tools may reach although their addresses are not public"
    )
    max_bytes: int = Field(2 * 2**20, ge=1, description="bytes of one answer of a server")
    max_artifacts: int = Field(1_000, ge=1, description="artifacts of one key")
    max_artifact_bytes: int = Field(4 * 2**20, ge=1, description="bytes of one artifact")


class SandboxSettings(Section):
    """Where the code of agents runs."""

    kind: str = Field(
        "monty", description="monty: a part of Python, at once; bubblewrap and gvisor: full CPython in a jail"
    )
    concurrent: int = Field(2, ge=1, description="runs at the same time, for each agent")
    seconds: float = Field(10.0, gt=0, le=600, description="the time of one run")
    memory_mb: int = Field(256, ge=16, description="memory of one process")
    output: int = Field(100_000, ge=100, description="characters that a run may print, and return")
    disk_mb: int = Field(16, ge=1, description="files that a run may write, together")
    files: int = Field(64, ge=0, description="how many files it may leave")
    processes: int = Field(8, ge=1, description="processes and threads of a run, in a jail")
    python: str = Field("", description="the interpreter of a jail; empty: one that its user can run")
    spare_s: float = Field(
        30.0, ge=0, description="how long a jail that is started ahead waits for the next run (bubblewrap); 0: none is"
    )
    packages: tuple[str, ...] = Field((), description="folders of packages that code in a jail may import")
    runsc: str = Field("runsc", description="the program of gVisor")


SECTIONS = {"tools": ToolSettings, "sandbox": SandboxSettings}
