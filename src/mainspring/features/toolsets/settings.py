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
    """Hosts, secrets and databases of tools."""

    secrets: dict[str, ToolSecret] = Field(
        default_factory=dict, description="secrets by name that tools send to servers; models never see them"
    )
    databases: dict[str, ToolDatabase] = Field(
        default_factory=dict, description="databases of SQL tools by name (sqlite:///path, postgresql://...)"
    )
    private_hosts: tuple[str, ...] = Field(
        (), description="hosts that HTTP tools may reach although their addresses are not public"
    )
    max_bytes: int = Field(2 * 2**20, ge=1, description="maximum bytes of one server response")
    max_artifacts: int = Field(1_000, ge=1, description="maximum artifacts per key")
    max_artifact_bytes: int = Field(4 * 2**20, ge=1, description="maximum bytes of one artifact")


class SandboxSettings(Section):
    """The sandbox in which agents run code."""

    kind: str = Field(
        "monty",
        description="monty: a subset of Python without start-up time; bubblewrap and gvisor: full CPython in a jail",
    )
    concurrent: int = Field(2, ge=1, description="maximum concurrent runs per agent")
    seconds: float = Field(10.0, gt=0, le=600, description="maximum time of one run in seconds")
    memory_mb: int = Field(256, ge=16, description="maximum memory of one process in MB")
    output: int = Field(100_000, ge=100, description="maximum characters that a run may print and return")
    disk_mb: int = Field(16, ge=1, description="maximum total size of files that a run may write, in MB")
    files: int = Field(64, ge=0, description="maximum number of files that a run may leave")
    processes: int = Field(8, ge=1, description="maximum processes and threads of a run in a jail")
    python: str = Field("", description="Python interpreter of a jail; empty: one that its user can run")
    spare_s: float = Field(
        30.0,
        ge=0,
        description="seconds for which a pre-started jail waits for the next run (bubblewrap); 0: no pre-started jails",
    )
    packages: tuple[str, ...] = Field((), description="folders of packages that code in a jail may import")
    runsc: str = Field("runsc", description="the program of gVisor")


SECTIONS = {"tools": ToolSettings, "sandbox": SandboxSettings}
