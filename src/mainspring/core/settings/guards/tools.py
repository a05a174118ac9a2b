"""Settings of tools: which ones may be offered and called, limits of arguments and results, and approval."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from mainspring.core.settings.guards.limits import OnInput
from mainspring.core.settings.section import Section


class ToolRule(Section):
    """Limits on the arguments of a tool's calls. ``hosts`` are those of addresses in its arguments (with their
    subdomains), ``paths`` the folders that an argument of that name must be in, ``forbidden`` expressions that none of
    its texts may match."""

    hosts: tuple[str, ...] | None = None
    paths: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    forbidden: tuple[str, ...] = Field((), max_length=64)

    @field_validator("forbidden")
    @classmethod
    def _expressions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from pydantic_core import SchemaError, SchemaValidator, core_schema

        for source in value:
            try:
                # RE2's syntax, whose matching takes linear time: arguments come from any caller.
                SchemaValidator(core_schema.str_schema(pattern=source))
            except SchemaError:
                raise ValueError(f"{source!r} is not an expression that can be matched in linear time") from None
        return value


class ResultLimits(Section):
    """Limits on tool results: their length, and what happens to results that contain instructions (found by the rules
    and, if ``detectors.indirect`` is on, by that detector)."""

    characters: int | None = Field(None, gt=0)
    longer: Literal["cut", "refuse"] = "cut"
    injection: Literal["off", "flag", "withhold", "refuse"] = "off"


class ToolsSettings(Section):
    """Tools of callers. ``allowed`` lists patterns of names (``search_*``; none: any). ``unlisted`` says what happens
    when a request offers another tool; a call of such a tool is never handed out. ``arguments``: whether calls must fit
    the tool's schema and the ``rules`` of those names. Tools of ``approval`` are called only after somebody approves
    the call within ``approval_s`` seconds."""

    allowed: tuple[str, ...] | None = None
    unlisted: Literal["refuse", "strip"] = "refuse"
    arguments: OnInput = "off"
    rules: dict[str, ToolRule] = Field(default_factory=dict)
    results: ResultLimits = Field(default_factory=ResultLimits)
    approval: tuple[str, ...] = ()
    approval_s: float = Field(3600.0, gt=0)

    @property
    def watched(self) -> bool:
        """Whether calls are checked before they are handed out."""
        return self.allowed is not None or self.arguments != "off" or bool(self.approval)
