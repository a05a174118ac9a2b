"""What is shown of a completion: nothing twice, and only what parses."""

from __future__ import annotations

import pytest

from mainspring.features.code.complete.checks import check, without_repeated
from mainspring.features.code.complete.place import Place
from mainspring.features.code.syntax import trees


@pytest.mark.parametrize(
    ("before", "written", "after", "left"),
    [
        ("x = foo(", "a, b)", ")\n", "a, b"),
        ("x = foo(", "bar(a)", ")\n", "bar(a)"),
        ("x = [", "1, 2];", "];\n", "1, 2"),
        ("def f():\n    a = 1\n", "    b = 2\n    return a + b", "\n    return a + b\n", "    b = 2"),
        ("f(", "x) + g(y)", " + g(y)\n", "x)"),
        ("if a:\n    ", "b()\nelse:\n    c()", "\nelse:\n    c()\n", "b()"),
        ("x = ", "1", "\ny = 2\n", "1"),
        ('print("', 'hello")', '")\n', "hello"),
    ],
)
def test_nothing_is_repeated(before: str, written: str, after: str, left: str) -> None:
    assert without_repeated(Place(before, after, "py"), written) == left


@pytest.mark.parametrize(
    ("before", "written", "after", "shown", "changed"),
    [
        ("def f(a):\n    ", "return a", "\n", "return a", ""),
        ("def f(a):\n    ", "    return a", "\n", "return a", "indent"),
        ("def f(a):\n    ", "b = a\n    return (b +", "\n", "b = a", "cut"),
        ("x = foo(", "a, [b", "", "a, [b])", "closed"),
        ("def f(a):\n    ", "return a b c", "\n\nx = 1\n", "", "withheld"),
    ],
)
def test_only_what_parses_is_shown(before: str, written: str, after: str, shown: str, changed: str) -> None:
    found = check(Place(before, after, "py"), written)
    assert (found.text, found.changed) == (shown, changed)
    if shown:
        assert found.parses
        assert trees.compiles(before + shown + after)


def test_a_file_that_is_broken_elsewhere_is_held_against_itself() -> None:
    broken = "def g(:\n    pass\n\n\ndef f(a):\n    "
    assert check(Place(broken, "\n", "py"), "return a").text == "return a"
    assert check(Place(broken, "\n", "py"), "return a").parses is False
    assert check(Place(broken, "\n", "py"), "return a b c").text == ""


def test_an_unknown_language_is_shown_as_it_is() -> None:
    assert check(Place("a ", "", ""), "b ( c").text == "b ( c"
    assert check(Place("a ", "", ""), "b ( c").parses is None


def test_javascript() -> None:
    found = check(Place("function f(a) {\n  ", "\n}\n", "js"), "if (a) {\n    return 1;", ended=False)
    assert (found.text, found.parses, found.changed) == ("if (a) {\n    return 1;}", True, "closed")


def test_a_long_file_is_parsed_around_the_cursor_only(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    faults = trees.faults

    def noted(text: str, suffix: str) -> int | None:
        read.append(len(text))
        return faults(text, suffix)

    monkeypatch.setattr(trees, "faults", noted)
    other = "def g(a):\n    return a\n\n\n" * 2_000
    place = Place(f"{other}@cached\ndef f(a):\n    ", f"\n\n\n{other}", "py")
    assert check(place, "return a").text == "return a"
    assert sum(read) < 1_000
    assert check(place, "return a b").text == ""
    # What does not parse by itself is read whole: a text may look like a definition.
    quoted = f'{other}TEXT = """\ndef f(a):\n    '
    assert check(Place(quoted, f'\n"""\n{other}', "py"), "anything (goes").text == "anything (goes"
