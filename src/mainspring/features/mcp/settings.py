"""Settings of the Model Context Protocol."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from mainspring.agents.tools.mcp.settings import McpServerSettings
from mainspring.core.settings.section import Section

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class McpSettings(Section):
    """The server at `/mcp`, and the servers whose tools agents may use, by name.

    `hosts` are names under which clients reach this server, as in `mcp.example.com` or `mcp.example.com:8443`; those of
    the local machine are always among them. With any, a request to another name is refused. `origins` are pages in
    browsers that may call it, as in `https://app.example.com`.
    """

    serve: bool = Field(True, description="serve `/mcp`")
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    url: str = Field("", description="public URL of `/mcp` behind a proxy, for the OAuth metadata")
    prompts: tuple[str, ...] = Field(
        (),
        description="prompts of the registry that each key may read; `*`: all; keys with the scope `prompts` read all",
    )
    sessions: int = Field(
        200, ge=1, le=10_000, description="open sessions of one tenant (clients of versions before 2026-07-28)"
    )
    session_idle_s: float = Field(900.0, gt=0, description="seconds without a request after which a session ends")
    watch_s: float = Field(5.0, ge=0.05, description="seconds between two checks for changes, for clients that listen")
    page: int = Field(100, ge=1, le=1000, description="entries per page of a list")
    servers: dict[str, McpServerSettings] = Field(default_factory=dict)

    @field_validator("hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host} is not a host name: use the form mcp.example.com, without https://")
        return hosts

    @field_validator("servers")
    @classmethod
    def _servers(cls, servers: dict[str, McpServerSettings]) -> dict[str, McpServerSettings]:
        for name in servers:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name} cannot name a server: use small letters, digits, - and _, at most 32")
        return servers


SECTIONS = {"mcp": McpSettings}
