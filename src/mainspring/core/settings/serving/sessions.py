"""Settings of conversations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class SessionsSettings(Section):
    """How conversations are remembered. Sizes in tokens of the model that is asked (docs/guides/sessions.md)."""

    strategy: Literal["truncation", "window", "summary", "hierarchical"] = "truncation"
    max_tokens: int = Field(
        4096, ge=64, description="tokens of history in a prompt, including its summary and recalled turns"
    )
    first_turns: int = Field(1, ge=1, le=32, description="turns that `window` always keeps")
    summary_tokens: int = Field(512, ge=32)
    recalled_tokens: int = Field(768, ge=32)
    recalled_turns: int = Field(6, ge=1, le=64)
    summariser: str = Field(
        "auto",
        description="`extractive`, a chat model, or auto: a grounded one if there is one",
    )
    token_budget: int = Field(0, ge=0, description="tokens that a session may use in total; 0: unlimited")
    when_spent: Literal["refuse", "trim"] = Field(
        "refuse", description="trim: continue with less history and shorter answers until nothing is left"
    )
