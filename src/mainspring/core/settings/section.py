"""The base of all sections of the configuration."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused, and numbers that are no number or without end."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: Any, info: ValidationInfo) -> Any:
        # YAML reads a bare ``off`` as false.
        if value is False and "off" in _words(cls.model_fields[str(info.field_name)].annotation):
            return "off"
        return value


def _words(annotation: Any) -> set[Any]:
    """The names that a field of that type accepts: the values of its Literals, also within a union."""
    parts = get_args(annotation)
    return {part for part in parts if isinstance(part, str)}.union(*map(_words, parts))
