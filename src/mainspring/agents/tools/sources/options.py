"""Options of sources, as they stand in a definition of an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mainspring.agents.tools.base import ToolPolicy
from mainspring.core.errors import InvalidRequest

O = TypeVar("O", bound="Options")  # noqa: E741


class Options(BaseModel):
    """Base of all options: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls: type[O], found: Mapping[str, Any]) -> O:
        """Raises ``InvalidRequest`` naming the field at fault."""
        try:
            return cls.model_validate(dict(found))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(each) for each in first["loc"]) or "options"
            known = ", ".join(cls.model_fields)
            raise InvalidRequest(f"{place}: {first['msg']}", remedy=f"The options are {known}", param=place) from None


class CallOptions(Options):
    """Options that each source has: ``scopes`` that a caller needs, ``approval`` of a person for each call,
    ``timeout_s`` of one attempt, ``retries``, whether results are ``trusted``, the most ``characters`` of a result."""

    scopes: frozenset[str] = frozenset()
    approval: bool = False
    timeout_s: float = 30.0
    retries: int = 1
    trusted: bool = False
    characters: int = 20_000

    def policy(self, **changes: Any) -> ToolPolicy:
        """The policy that the options describe, with ``changes``."""
        values: dict[str, Any] = {
            "scopes": self.scopes,
            "approval": self.approval,
            "timeout_s": self.timeout_s,
            "retries": self.retries,
            "trusted": self.trusted,
            "max_characters": self.characters,
        }
        return ToolPolicy(**values | changes)
