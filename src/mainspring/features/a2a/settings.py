"""Settings of agents over A2A."""

from __future__ import annotations

from pydantic import Field

from mainspring.agents.tools.a2a.settings import RemoteAgentSettings
from mainspring.core.settings.section import Section


class A2aSettings(Section):
    """Agents over A2A (docs/guides/a2a.md)."""

    agent: str = Field("", description="the served name behind /a2a; empty: document-qa, else the first chat model")
    url: str = Field("", description="URL of this server in agent cards; empty: the URL of the request")
    legacy_cards: bool = Field(False, description="add the fields of A2A 0.3 to agent cards, which 1.0 does not allow")
    public: tuple[str, ...] = Field((), description="served names whose cards can be read without a key")
    private_hosts: tuple[str, ...] = Field((), description="webhook hosts that may have private addresses")
    per_tenant: int = Field(32, ge=1, description="tasks of a tenant that may be in progress at a time")
    parallel: int = Field(32, ge=1, description="tasks that a process works on at a time")
    timeout_s: float = Field(3600.0, gt=0, description="seconds that one turn of a task may take")
    lease_s: float = Field(30.0, ge=1, description="seconds after which another process resumes the work of a dead one")
    max_webhooks: int = Field(8, ge=0, description="webhooks of a task")
    webhook_attempts: int = Field(8, ge=1, description="delivery attempts per notification")
    webhook_timeout_s: float = Field(10.0, gt=0, description="seconds in which a webhook must answer")
    agents: dict[str, RemoteAgentSettings] = Field(
        default_factory=dict, description="remote agents, by the names under which they are served here"
    )
    retention_days: float = Field(30.0, ge=0, description="days for which a finished task is kept; 0: for ever")


SECTIONS = {"a2a": A2aSettings}
