"""Rules of an agent about its tools: the deterministic half of a playbook, as data.

Rule(tool="get_order_status", pattern="where is my (order|parcel)")
Rule(tool="refund_order", requires=("verify_identity",))
Rule(tool="delete_account", never=True, pattern="minor|child")
Rule(tool="search_knowledge_base", otherwise=True)
Rule(say="We are open from 9 to 17.", pattern="opening hours|when are you open")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.errors import SettingsError
from mainspring.engines.grammar.validation import pattern as matcher


@dataclass(frozen=True, slots=True)
class Rule:
    """When a tool is called, or must not be.

    ``pattern`` is a regular expression over what the user says (case does not count; empty: it always holds). If it
    matches, ``tool`` is called; with ``never`` it is not offered; with ``requires`` it is called only once each of
    those tools has been called without an error in this conversation, and the first that has not comes before.
    ``after`` names a tool whose successful result is followed by ``tool``. ``say`` is what the user is told instead.
    ``arguments`` are fixed ones. With ``otherwise`` the tool is called, or the words are said, when the user asks for
    something that no tool fits: search in a knowledge base, say. Raises ``SettingsError`` naming the field at fault.
    """

    tool: str = ""
    pattern: str = ""
    never: bool = False
    requires: tuple[str, ...] = ()
    after: str = ""
    say: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    otherwise: bool = False

    def __post_init__(self) -> None:
        if bool(self.tool) == bool(self.say):
            raise SettingsError("a rule names a tool or says something", remedy="Set either tool or say")
        if not (self.pattern or self.never or self.requires or self.after or self.otherwise):
            raise SettingsError(
                f"the rule of {self.tool or 'say'} has no condition",
                remedy="Give it a pattern, requires, after, never or otherwise",
            )
        if self.pattern:
            matcher(self.pattern)

    def matches(self, text: str) -> bool:
        """Whether the pattern occurs in ``text``; without a pattern it does."""
        return not self.pattern or matcher(f"(?i){self.pattern}")(text)
