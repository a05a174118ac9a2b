"""Settings of responses in the background."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class BackgroundSettings(Section):
    """Responses with ``background: true``."""

    per_tenant: int = Field(16, ge=1, description="responses of a tenant that may be in progress at a time")
    timeout_s: float = Field(3600.0, gt=0, description="seconds that one response may take")
    kept_s: float = Field(
        300.0, ge=0, description="seconds after its end in which the events of a response can be read again"
    )


SECTIONS = {"background": BackgroundSettings}
