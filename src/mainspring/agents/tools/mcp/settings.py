"""How a server of tools is reached, and how far it is trusted."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section


class McpOAuthSettings(Section):
    """OAuth of a server: for people (`mainspring mcp login NAME`) or, with a secret, for this server itself."""

    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    client_id: str = Field("", description="empty: dynamic client registration, if the server supports it")
    client_secret: str = Field("", repr=False, description="as env:NAME or credential:NAME")
    issuer: str = Field("", description="issuer of client_id and client_secret; they are sent only to it")
    client_metadata_url: str = Field("", description="URL of a client metadata document, used as client ID")
    scopes: tuple[str, ...] = ()
    redirect_port: int = Field(0, ge=0, le=65535, description="port of the local redirect URL of a login; 0: any")

    @model_validator(mode="after")
    def _whole(self) -> McpOAuthSettings:
        if self.grant == "client_credentials" and not (self.client_id and self.client_secret and self.issuer):
            raise ValueError("the grant client_credentials needs client_id, client_secret and issuer")
        if self.client_secret and not self.issuer:
            raise ValueError("client_secret needs issuer: without it, the server decides who receives the secret")
        return self


class McpServerSettings(Section):
    """A server of tools: its `url` (streamable HTTP), or the `command` that starts it (stdio).

    `tools` are those that agents may use (empty: all). What a server says of its tools only makes them stricter,
    unless `trust_hints` believes that a tool changes nothing. `approve` decides about a tool whose description is new
    or has changed: `first` takes what the first connection shows and asks after each change, `always` asks for every
    tool (`mainspring mcp approve NAME`), `never` takes whatever the server says.
    """

    url: str = ""
    command: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict, repr=False, description="environment variables of the command")
    cwd: str = ""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    oauth: McpOAuthSettings | None = None
    tools: tuple[str, ...] = ()
    tenants: tuple[str, ...] = Field((), description="tenants whose agents may use it; empty: all")
    resources: bool = Field(False, description="offer tools that list and read its resources")
    prompts: bool = Field(False, description="offer a tool that reads its prompts")
    prefix: str = Field("", description="prefix of the names of its tools; empty: the server's name")
    approve: Literal["first", "always", "never"] = "first"
    trust_hints: bool = False
    trusted: bool = Field(False, description="its results are given to models without the mark for untrusted text")
    confirm: bool = Field(False, description="a person must approve each call that may change something")
    private_hosts: tuple[str, ...] = Field(
        (), description="additional hosts with private addresses that its login may use; its own host may have one"
    )
    timeout_s: float = Field(30.0, gt=0, description="seconds that one call may take")
    connect_timeout_s: float = Field(10.0, gt=0)
    max_bytes: int = Field(4 * 2**20, ge=1024, description="maximum bytes of one message of the server")
    max_output: int = Field(100_000, ge=1000, description="maximum characters of one result that a model reads")
    max_tools: int = Field(256, ge=1)

    @model_validator(mode="after")
    def _one_way(self) -> McpServerSettings:
        if bool(self.url) == bool(self.command):
            raise ValueError("set either url or command")
        if self.url:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
                raise ValueError(
                    f"{self.url} is not an http or https URL, or contains credentials: put credentials into headers"
                )
        elif self.headers or self.oauth:
            raise ValueError("headers and oauth belong to a url; a command has env")
        return self
