"""Rules of an agent about its tools."""

import pytest

from mainspring.agents.choice.rules import Rule
from mainspring.core.errors import MainspringError, SettingsError


def test_a_rule_matches_what_is_said_in_any_case() -> None:
    rule = Rule(tool="status", pattern=r"where is my (order|parcel)\b")
    assert rule.matches("Hello, WHERE is my Parcel?")
    assert not rule.matches("where is my orderly")


@pytest.mark.parametrize("fields", [{}, {"tool": "a", "say": "b", "pattern": "c"}, {"tool": "a"}, {"say": "b"}])
def test_a_rule_without_subject_or_condition_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        Rule(**fields)  # type: ignore[arg-type]


def test_a_broken_pattern_is_refused() -> None:
    with pytest.raises(MainspringError):
        Rule(tool="a", pattern="(")
