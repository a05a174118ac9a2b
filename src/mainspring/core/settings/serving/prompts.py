"""References to prompts of the registry in settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

PromptReference = Annotated[
    str,
    Field(
        pattern=r"^prompt:[A-Za-z0-9][A-Za-z0-9_.-]{0,127}(@([a-z][a-z0-9_-]{0,63}|[0-9]{1,18}))?$",
        description="prompt:NAME@LABEL, prompt:NAME@VERSION, or prompt:NAME: the label production",
    ),
]
