"""Settings of the guards."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import field_validator

from mainspring.settings.section import Section

PiiKind = Literal["canary", "secret", "iban", "credit_card", "ssn", "ip", "email", "phone"]
"""Kinds of personal data and credentials; of two found at the same place the earlier one here counts."""


class GuardsSettings(Section):
    """What the guards do with what they find.

    ``pii_output_kinds`` is what is redacted in answers: a list of kinds, or ``all``. Without ``ip``, ``email`` and
    ``phone``, which documents rightly hold, ordinary words of a stream need not wait for their end.
    """

    injection: Literal["off", "flag", "refuse"] = "flag"
    pii_input: Literal["off", "redact", "refuse"] = "redact"
    pii_output: Literal["off", "redact"] = "redact"
    pii_output_kinds: tuple[PiiKind, ...] = ("canary", "secret", "iban", "credit_card", "ssn")
    spotlight: bool = True

    @field_validator("pii_output_kinds", mode="before")
    @classmethod
    def _all_kinds(cls, value: Any) -> Any:
        return get_args(PiiKind) if value == "all" else value
