"""Texts that an expression finds long, made of its own parts; and the expressions that functions have."""

from __future__ import annotations

import ast
import re
import re._constants as codes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

METHODS = frozenset({"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"})
_PLACED = frozenset({"match", "fullmatch"})
_MOST, _LONGEST = 24, 60
"""Pieces of one expression, and characters of one piece."""
_KINDS = {
    codes.CATEGORY_DIGIT: "1", codes.CATEGORY_NOT_DIGIT: "a", codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: "a", codes.CATEGORY_WORD: "a", codes.CATEGORY_NOT_WORD: " ",
}  # fmt: skip
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_PLAIN = 'a b1-,.\n<>[](){}"`:'
_VALUE = "word"
"""What stands for a value within an expression."""


class Written(NamedTuple):
    """An expression where a function has it: ``MODULE:FUNCTION``, the expression, and whether it is looked for anywhere
    in a text; ``None`` where it is made elsewhere."""

    place: str
    expression: re.Pattern[str] | None
    anywhere: bool


def pieces(expression: re.Pattern[str]) -> list[tuple[str, str]]:
    """(what stands once, what comes again and again): what a sequence begins with, again and again, and what each
    repeat repeats, behind what comes before it. Most of an expression matches such a text, and its end does not."""
    found: dict[tuple[str, str], None] = {}
    parsed = parser.parse(expression.pattern, expression.flags & ~re.DEBUG)
    _walk(parsed, "", found)
    return [each for each in found if each[1] and len(each[0]) + len(each[1]) <= _LONGEST][:_MOST]


def _walk(sequence: Any, before: str, found: dict[tuple[str, str], None]) -> None:
    said = before
    for code, value in sequence:
        if code in _REPEATS:
            once = _sample(value[2])
            found.setdefault((said, once))
            found.setdefault(("", once))
        for each in _within(code, value):
            _walk(each, said, found)
        said += _said(code, value)
        found.setdefault(("", said))


def _within(code: Any, value: Any) -> list[Any]:
    if code in _REPEATS:
        return [value[2]]
    if code is codes.SUBPATTERN:
        return [value[3]]
    if code is codes.BRANCH:
        return list(value[1])
    return [value] if code is codes.ATOMIC_GROUP else []


def _sample(sequence: Any) -> str:
    return "".join(_said(code, value) for code, value in sequence)


def _said(code: Any, value: Any) -> str:
    """A text that this part matches, each repeat at least once."""
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.NOT_LITERAL:
        return "a" if value != ord("a") else "b"
    if code is codes.ANY:
        return "a"
    if code is codes.IN:
        return next((each for each in _PLAIN if _taken(value, each)), "") or _first(value)
    if code in _REPEATS:
        return _sample(value[2]) * min(max(int(value[0]), 1), 20)
    if code is codes.BRANCH:
        return _sample(value[1][0])
    inner = _within(code, value)
    return _sample(inner[0]) if inner else ""


def _first(options: Any) -> str:
    for code, value in options:
        if code in (codes.LITERAL, codes.RANGE):
            return chr(value if code is codes.LITERAL else value[0])
    return "a"


def _taken(options: Any, letter: str) -> bool:
    negated = options[0][0] is codes.NEGATE
    return any(_is(code, value, letter) for code, value in options) != negated


def _is(code: Any, value: Any, letter: str) -> bool:
    if code is codes.LITERAL:
        return bool(value == ord(letter))
    if code is codes.RANGE:
        return bool(value[0] <= ord(letter) <= value[1])
    if code is codes.CATEGORY:
        wanted = {"DIGIT": letter.isdigit(), "SPACE": letter.isspace(), "WORD": letter.isalnum()}
        name = str(value).removeprefix("CATEGORY_")
        return not wanted[name[4:]] if name.startswith("NOT_") else wanted[name]
    return False


def written(root: Path) -> Iterator[Written]:
    """All expressions that functions below ``root`` have; a value within one stands as a word in it."""
    for file in sorted(root.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        modules = {
            each.asname or each.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for each in node.names
            if each.name in ("re", "regex")
        }
        if modules:
            name = ".".join(file.relative_to(root).with_suffix("").parts)
            yield from _calls(tree, modules, name, "")


def told(root: Path, modules: tuple[str, ...]) -> Iterator[Written]:
    """All texts of ``modules`` that are expressions: they stand in tables which functions read."""
    for module in modules:
        tree = ast.parse((root / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant | ast.JoinedStr):
                continue
            text = _text(node)
            if text and "\\" in text:
                try:
                    yield Written(f"{module}:{node.lineno}", re.compile(text, re.IGNORECASE), True)
                except re.error:
                    # A part of one.
                    continue


def _calls(tree: ast.AST, modules: set[str], module: str, function: str) -> Iterator[Written]:
    for node in ast.iter_child_nodes(tree):
        within = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(node, ast.Lambda):
            within = function or "lambda"
        yield from _calls(node, modules, module, within)
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args and function):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id in modules):
            continue
        if node.func.attr in METHODS and not _of_bytes(node.args[0]):
            text, flags = _text(node.args[0]), _flags(node)
            expression = None if text is None else re.compile(text, flags)
            yield Written(f"{module}:{function}", expression, node.func.attr not in _PLACED)


def _of_bytes(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bytes)


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else _VALUE for each in node.values)
    return None


def _flags(call: ast.Call) -> int:
    named = [
        each.attr
        for argument in (*call.args[1:], *(keyword.value for keyword in call.keywords))
        for each in ast.walk(argument)
        if isinstance(each, ast.Attribute) and each.attr.isupper() and each.attr in re.RegexFlag.__members__
    ]
    flags = 0
    for name in named:
        flags |= re.RegexFlag[name]
    return flags
