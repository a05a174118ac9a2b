from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from mainspring.core.settings.guards.tools import ToolRule, ToolsSettings
from mainspring.core.types import Tool
from mainspring.guards.policy import tools

SCHEMA = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "count": {"type": "integer", "maximum": 3}},
    "required": ["to"],
    "additionalProperties": False,
}
SEND = Tool("send_mail", parameters=SCHEMA)


def test_names() -> None:
    settings = ToolsSettings(allowed=("search_*", "clock"))
    assert [tools.listed(name, settings) for name in ("search_web", "clock", "clocks", "send")] == [
        True,
        True,
        False,
        False,
    ]
    assert tools.listed("anything", ToolsSettings())
    assert not tools.listed("anything", ToolsSettings(allowed=()))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ('{"to": "ana"}', []),
        ('{"to": "ana", "count": 3}', []),
        ('{"to": "ana", "count": 4}', ["schema"]),
        ('{"count": 1}', ["schema"]),
        ('{"to": "ana", "more": 1}', ["schema"]),
        ("", ["schema"]),
        ('{"to": ', ["json"]),
        ("[" * 100_000, ["json"]),
    ],
)
def test_arguments_fit_the_schema(arguments: str, found: list[str]) -> None:
    assert tools.problems(SEND, arguments, ToolsSettings()) == found


def test_a_schema_that_cannot_be_checked_lets_nothing_through() -> None:
    assert tools.problems(Tool("t", parameters={"type": "nonsense"}), "{}", ToolsSettings()) == ["schema"]


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        ({"url": "https://example.org/a?b=c"}, True),
        ({"url": "https://docs.example.org./a"}, True),
        ({"url": "example.org/a"}, True),
        ({"q": "no address at all"}, True),
        ({"url": "https://evil.test/"}, False),
        ({"url": "evil.test"}, False),
        ({"url": "//evil.test/x"}, False),
        ({"url": "https://example.org@evil.test/"}, False),
        ({"url": "https://evil.test\\@example.org/"}, False),
        ({"url": "https:\\\\evil.test"}, False),
        ({"url": "https://notexample.org/"}, False),
        ({"url": "https://example.org.evil.test/"}, False),
        ({"url": "http://[::1"}, False),
        ({"url": "http:///nothing"}, False),
        ({"list": [{"deep": "see https://example.org and HTTPS://EVIL.test/"}]}, False),
        ({"https://evil.test/": 1}, False),
    ],
)
def test_addresses_are_on_allowed_hosts(value: Any, passes: bool) -> None:
    assert (tools.broken(value, ToolRule(hosts=("example.org",))) == []) is passes


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        ("/srv/data/a.txt", True),
        ("/srv/data", True),
        ("/srv/data/x/../a.txt", True),
        ("/srv/data/../secret", False),
        ("/srv/database/a", False),
        ("/srv/data/%2e%2e/secret", False),
        ("/srv/data/%252e%252e/secret", False),
        ("/srv/data/..\\..\\etc/passwd", False),
        ("~/a", False),
        ("/srv/data/a\0", False),
        ("a.txt", False),
        ("/etc/passwd", False),
    ],
)
def test_paths_are_below_their_folders(path: str, passes: bool) -> None:
    rule = ToolRule(paths={"path": ("/srv/data/",)})
    assert (tools.broken({"path": path, "other": "/etc/passwd"}, rule) == []) is passes
    assert (tools.broken({"path": [path]}, rule) == []) is passes


def test_forbidden_texts_and_rules_by_name() -> None:
    settings = ToolsSettings(rules={"send_*": ToolRule(forbidden=("(?i)drop table",)), "other": ToolRule(hosts=())})
    arguments = json.dumps({"to": "x; DROP TABLE users"})
    assert tools.problems(Tool("send_mail"), arguments, settings) == ["forbidden"]
    assert tools.problems(Tool("mail"), arguments, settings) == []
    with pytest.raises(ValidationError, match="linear time"):
        ToolRule(forbidden=(r"(a)\1",))
