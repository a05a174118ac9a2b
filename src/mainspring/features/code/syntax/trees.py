"""Syntax trees of source files by tree-sitter, and their faults."""

from __future__ import annotations

import ast
import warnings
from pathlib import PurePath
from typing import Any

from mainspring.core.errors import MissingExtra
from mainspring.rag.chunk import syntax

# Ids of languages in editors, by the ending of a file in that language.
_IDS = {
    "python": "py",
    "javascript": "js",
    "javascriptreact": "jsx",
    "typescript": "ts",
    "typescriptreact": "tsx",
    "java": "java",
    "c": "c",
    "cpp": "cpp",
    "csharp": "cs",
    "go": "go",
    "rust": "rs",
    "ruby": "rb",
    "php": "php",
    "shellscript": "sh",
    "bash": "sh",
}
PYTHON = frozenset(("py", "pyi"))
_LINE_COMMENTS = {**dict.fromkeys(("py", "pyi", "rb", "sh", "bash"), "#")}


def language(path: str, name: str = "") -> str:
    """The ending of the language of a file, by its path or the editor's ``name`` for it; empty if it is unknown."""
    return _IDS.get(name.lower(), "") or syntax.language(f"x.{name.lower()}" if name else "") or syntax.language(path)


def comment_mark(suffix: str) -> str:
    """What begins a comment to the end of the line."""
    return _LINE_COMMENTS.get(suffix, "//")


def parse(text: str, suffix: str) -> Any | None:
    """The tree of ``text``; None if no grammar reads that language. Raises ``MissingExtra`` if its grammar is not
    installed."""
    if not suffix:
        return None
    grammar = syntax.grammar(suffix)
    if grammar is None:
        raise MissingExtra(
            f"source files .{suffix} cannot be read: their grammar is not installed",
            remedy="Run `pip install 'mainspring[code]'`",
        )
    from tree_sitter import Parser

    return Parser(grammar).parse(text.encode("utf-8", "replace"))


def faults(text: str, suffix: str) -> int | None:
    """The number of places where ``text`` breaks the grammar of its language; None if that is unknown.

    Python is judged by its own parser where tree-sitter, which is lenient, finds nothing.
    """
    tree = parse(text, suffix)
    if tree is None:
        return None
    found = _errors(tree.root_node) if tree.root_node.has_error else 0
    if found == 0 and suffix in PYTHON and not compiles(text):
        return 1
    return found


def compiles(text: str) -> bool:
    """Whether Python's own parser takes ``text``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _errors(node: Any) -> int:
    """ERROR and MISSING nodes; only branches that have some are entered."""
    count, waiting = 0, [node]
    while waiting:
        node = waiting.pop()
        if node.is_missing:
            count += 1
        elif node.is_error:
            count += 1
            waiting += [child for child in node.children if child.has_error]
        elif node.has_error:
            waiting += node.children
    return count


def name_of(path: str) -> str:
    """The last part of a path, in lower case."""
    return PurePath(path).name.lower()
