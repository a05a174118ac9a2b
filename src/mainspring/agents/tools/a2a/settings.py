"""How an agent of others is reached, and how far it is trusted."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from mainspring.core.settings.section import Section


class RemoteAgentSettings(Section):
    """An agent at a `url`: the base URL of its card, or the URL of the card itself.

    `card_sha256` pins its card: any other card is refused. Without it, the first card that a process reads is pinned.
    Headers and the key are sent only to the origin of `url`.
    """

    url: str
    key: str = Field("", repr=False, description="bearer token, as env:NAME or credential:NAME")
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    card_sha256: str = Field(
        "", pattern=r"^([0-9a-f]{64})?$", description="SHA-256 of its card; the error about a changed card names it"
    )
    description: str = Field("", description="description for models; empty: the description on its card")
    mode: Literal["auto", "poll"] = Field("auto", description="poll: tasks are polled instead of streamed")
    poll_s: float = Field(1.0, gt=0, description="seconds between two polls of a task")
    timeout_s: float = Field(120.0, gt=0, description="seconds to wait for the agent's answer to one message")
    connect_timeout_s: float = Field(10.0, gt=0)
    effect: Literal["none", "keyed", "unkeyed"] = Field("unkeyed", description="side effects of a message to the agent")
    confirm: bool = Field(False, description="a person must approve each message to the agent")
    trusted: bool = Field(False, description="its answers are given to models without the mark for untrusted text")
    private_hosts: tuple[str, ...] = Field((), description="additional hosts that may have private addresses")
    max_bytes: int = Field(4 * 2**20, ge=1024, description="maximum bytes of one message of the agent")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError(
                f"{url} is not an http or https URL, or contains credentials: put credentials into key or headers"
            )
        return url
