"""Where a completion ends: at the line, the statement or the block, seen as the model writes."""

from __future__ import annotations

import pytest

from mainspring.features.code.complete.ending import Ending
from mainspring.features.code.complete.place import Place

QUOTED = '"""A text.\n\nNot indented.\n"""'


def ended(before: str, written: str, after: str = "", suffix: str = "py", size: int = 3) -> tuple[str, int]:
    """What is wanted of ``written``, and how many characters were read until that was known."""
    ending = Ending(Place(before, after, suffix))
    for start in range(0, len(written), size):
        end = ending.push(written[start : start + size])
        if end is not None:
            return written[:end], start + size
    return written[: ending.whole], len(written)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("before", "written", "after", "wanted"),
    [
        # The middle of a line.
        ("x = foo(", "a, b", ", c)\n", "a, b"),
        ("total = ", "price * 2\nother = 3\n", " + 1\n", "price * 2"),
        # A statement.
        ("x = ", "1 + 2\ny = 3\n", "\n", "1 + 2"),
        ("x = foo(", "a,\n    b)\ny = 3\n", "", "a,\n    b)"),
        ("x = foo(", "a, b)\ny = 1\n", ")\n", "a, b"),
        ("def f(x)", ":\n    return x\n\ndef g():\n", "", ":\n    return x"),
        ("    if a", ":\n        b()\n    c()\n", "", ":\n        b()"),
        # The body of a definition.
        ("def f(x):\n    ", "y = x\n\n    return y\n\n\ndef g():\n    pass\n", "", "y = x\n\n    return y"),
        ("def f(x):\n", "    y = x\n    return y\n\nprint(f)\n", "", "    y = x\n    return y"),
        ("class A:\n    def f(self):\n        ", "return 1\n\n    def g(self):\n", "", "return 1"),
        # A blank line in the middle of a block.
        ("def f():\n    ", "a = 1\n\n    b = 2\n", "\n    return a\n", "a = 1"),
        # Strings and comments are no code.
        (
            "def f():\n    ",
            '"""A text.\n\nNot indented.\n"""\n    return 1\nx = 1\n',
            "",
            '"""A text.\n\nNot indented.\n"""\n    return 1',
        ),
        ("x = ", "'a(b'\ny = 1\n", "", "'a(b'"),
        ("x = ", "1  # (see\ny = 1\n", "", "1  # (see"),
        # At the top of a file, one definition.
        ("import os\n\n", "def f():\n    return 1\n\n\ndef g():\n", "", "def f():\n    return 1"),
    ],
)
def test_python(before: str, written: str, after: str, wanted: str, size: int) -> None:
    assert ended(before, written, after, size=size)[0] == wanted


@pytest.mark.parametrize(
    ("before", "written", "after", "wanted"),
    [
        ("function f(a) {\n  ", "return a;\n}\n\nfunction g() {", "\n}\n", "return a;"),
        ("const x = ", "[1,\n 2];\nconst y", "", "[1,\n 2];"),
        ("if (a) {", "\n  b();\n} else {", "\n}", "\n  b();"),
        ("", "function f() {\n  return '}';\n}\nf();\n", "", "function f() {\n  return '}';\n}"),
        ("foo(", "a, // (\n b)\nbar()", "", "a, // (\n b)"),
    ],
)
def test_braces(before: str, written: str, after: str, wanted: str) -> None:
    assert ended(before, written, after, "js")[0] == wanted


def test_the_rest_is_not_waited_for() -> None:
    read = ended("def f():\n    ", "return 1\n\n\n" + "def g():\n    return 2\n" * 100)[1]
    assert read < 20


def test_blanks_alone_are_nothing() -> None:
    assert ended("def f():\n    ", "\n   \n") == ("", 5)
