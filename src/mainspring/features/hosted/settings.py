"""Settings of the tools that the server runs for a request."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class HostedSettings(Section):
    """Tools that this server runs for requests (docs/guides/hosted-tools.md)."""

    tools: tuple[Literal["web_search", "mcp", "code_interpreter"], ...] = Field(
        ("web_search", "mcp", "code_interpreter"), description="enabled tools; web_search needs its endpoint"
    )
    connectors: tuple[str, ...] = Field(
        (), description="servers of mcp.servers that requests may use, with the credentials of the settings"
    )
    mcp_hosts: tuple[str, ...] = Field(
        (), description="hosts of MCP servers that a request may name; empty: any with a public address"
    )
    private_hosts: tuple[str, ...] = Field(
        (), description="hosts of MCP servers that may be reached although their addresses are not public"
    )
    calls: int = Field(32, ge=1, description="maximum tool calls per answer; a request may set fewer")
    steps: int = Field(40, ge=2, description="maximum model and tool calls per answer together")
    seconds: float = Field(300.0, gt=0, description="seconds that one answer may take")


SECTIONS = {"hosted": HostedSettings}
