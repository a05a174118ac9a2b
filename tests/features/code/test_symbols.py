"""Definitions and imports of source files."""

from __future__ import annotations

import pytest

from mainspring.features.code.syntax.symbols import outline
from mainspring.features.code.syntax.trees import faults, language

PYTHON = """import os
from .a import (b,
  c)
LIMIT = 3
class A(B):
    x: int = 1
    @property
    def foo(self, a: int) -> str:
        def inner(): pass
        return ""
if True:
    def g(): ...
"""
SCRIPT = """const x = require("y");
export const f = (a) => { return a };
export class Q extends Z { m(a) { return 1 } }
res.send = function send(body) { return this };
"""
GO = """package main
import ("fmt"; "os")
type T struct { a int }
func (t *T) M(a int) error { return nil }
const K = 2
"""


@pytest.mark.parametrize(
    ("text", "suffix", "names"),
    [
        (PYTHON, "py", ["LIMIT", "A", "A.x", "A.foo", "g"]),
        (SCRIPT, "js", ["x", "f", "Q", "Q.m", "send"]),
        (GO, "go", ["T", "M", "K"]),
        ("pub struct S {} impl S { pub fn new() -> Self { S{} } }", "rs", ["S", "S", "S.new"]),
        ("class A { int x; String m(int a) { return null; } }", "java", ["A", "A.x", "A.m"]),
        ("int f(int a) { return 1; }\nstruct s { int a; };", "c", ["f", "s"]),
        ("words only", "", []),
    ],
)
def test_symbols(text: str, suffix: str, names: list[str]) -> None:
    assert [each.path for each in outline(text, suffix).symbols] == names


def test_signatures_and_lines() -> None:
    found = {each.name: each for each in outline(PYTHON, "py").symbols}
    assert found["foo"].signature == "def foo(self, a: int) -> str"
    # With its decorator.
    assert (found["foo"].first, found["foo"].last) == (6, 9)
    assert outline(PYTHON, "py").imports == ("import os", "from .a import (b, c)")
    assert next(each.signature for each in outline(SCRIPT, "js").symbols if each.name == "f") == "f = (a) =>"


@pytest.mark.parametrize(
    ("text", "suffix", "found"),
    [
        ("def f():\n    return 1\n", "py", 0),
        ("def f(:\n    return 1\n", "py", 1),
        # tree-sitter takes it for Python 2.
        ("print 'x'\n", "py", 1),
        ("function f() { return 1 }", "js", 0),
        ("function f( { return 1", "js", 1),
        ("anything", "", None),
    ],
)
def test_faults(text: str, suffix: str, found: int | None) -> None:
    assert faults(text, suffix) == found


def test_languages() -> None:
    assert language("src/a.tsx") == "tsx"
    assert language("", "python") == "py"
    assert language("", "typescriptreact") == "tsx"
    assert language("", "go") == "go"
    assert language("README.md") == ""
