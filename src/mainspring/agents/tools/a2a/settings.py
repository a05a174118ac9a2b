"""How an agent of others is reached, and how far it is trusted."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from mainspring.core.settings.section import Section


class RemoteAgentSettings(Section):
    """An agent at a `url`: the address below which its card lies, or that of the card.

    `card_sha256` pins its card: another one is refused. Without it the first card that a process reads is its pin.
    Headers and the key are sent to the origin of `url` alone.
    """

    url: str
    key: str = Field("", repr=False, description="sent as a bearer token; as env:NAME or credential:NAME")
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    card_sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$", description="of its card, as an error names it")
    description: str = Field("", description="what models are told of it; empty: what its card says")
    mode: Literal["auto", "poll"] = Field("auto", description="poll: tasks are asked for instead of streamed")
    poll_s: float = Field(1.0, gt=0, description="seconds between two looks at a task")
    timeout_s: float = Field(120.0, gt=0, description="of one message until the agent has answered")
    connect_timeout_s: float = Field(10.0, gt=0)
    effect: Literal["none", "keyed", "unkeyed"] = Field("unkeyed", description="what asking it does to the world")
    confirm: bool = Field(False, description="a person approves each message to it")
    trusted: bool = Field(False, description="its answers are shown to models unmarked")
    private_hosts: tuple[str, ...] = Field((), description="further hosts that may have private addresses")
    max_bytes: int = Field(4 * 2**20, ge=1024, description="of one message of the agent")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError(f"{url} is no http address, or has credentials in it: use key or headers for those")
        return url
