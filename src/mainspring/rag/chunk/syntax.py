"""Syntax trees of source code as lines: which lines each construct covers, and the names of definitions.

Grammars are those of tree-sitter (extra ``code``). Without them, Python is parsed by its own ``ast``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import PurePath
from typing import Any

from mainspring.core.errors import MissingExtra

# (module, function that gives its grammar) by the ending of a file's name.
_GRAMMARS = {
    **dict.fromkeys(("py", "pyi"), ("tree_sitter_python", "language")),
    **dict.fromkeys(("js", "jsx", "mjs", "cjs"), ("tree_sitter_javascript", "language")),
    **dict.fromkeys(("ts", "mts", "cts"), ("tree_sitter_typescript", "language_typescript")),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "java": ("tree_sitter_java", "language"),
    "c": ("tree_sitter_c", "language"),
    # C in a header is valid C++ as well.
    **dict.fromkeys(("h", "cc", "cpp", "cxx", "hpp", "hh", "hxx"), ("tree_sitter_cpp", "language")),
    "cs": ("tree_sitter_c_sharp", "language"),
    "go": ("tree_sitter_go", "language"),
    "rs": ("tree_sitter_rust", "language"),
    "rb": ("tree_sitter_ruby", "language"),
    "php": ("tree_sitter_php", "language_php"),
    **dict.fromkeys(("sh", "bash"), ("tree_sitter_bash", "language")),
}
_PYTHON = ("py", "pyi")
# Generated files of many megabytes: their lines say as much as their tree, which takes too long.
_MAX_CHARACTERS = 2_000_000

_DEFINES = re.compile(
    r"function|method|constructor|class|struct|interface|enum|trait|impl_|mod_item|^module$|namespace|record_|union|"
    r"type_spec|type_alias"
)
_DEFINES_NOT = re.compile(r"call|invocation|expression|reference|argument|constant|variant|enumerator|_use_|_body")
_WRAPS = re.compile(r"decorated|export|template_decl|lexical_decl|variable_decl|type_declaration|expression_statement")
_VALUES = frozenset(("arrow_function", "function_expression", "function", "class"))
_LEADS = re.compile(r"comment|attribute_item|^decorator$|^attribute_list$")


@dataclass(frozen=True, slots=True)
class Node:
    """A construct on the lines ``first`` to ``last`` (from 0). ``name`` is set if it defines something; ``leads``: it
    belongs to the next node (a comment, an attribute)."""

    first: int
    last: int
    name: str
    leads: bool
    children: Callable[[], Iterator[Node]]


def language(name: str) -> str:
    """The ending that says in which language a file of this name is written; empty if no grammar reads it."""
    suffix = PurePath(name).suffix.lower().lstrip(".")
    return suffix if suffix in _GRAMMARS else ""


def available(name: str) -> bool:
    """Whether a syntax tree of such a file can be had here."""
    suffix = language(name)
    return bool(suffix) and (suffix in _PYTHON or grammar(suffix) is not None)


def tree(text: str, name: str) -> Node | None:
    """The syntax tree of a source file; None if there is none (unknown language, far too large, broken Python).

    Raises ``MissingExtra`` if the grammar of a known language is not installed.
    """
    suffix = language(name)
    if not suffix or len(text) > _MAX_CHARACTERS:
        return None
    found = grammar(suffix)
    if found is not None:
        from tree_sitter import Parser

        return _from_tree_sitter(Parser(found).parse(text.encode("utf-8", "replace")).root_node)
    if suffix not in _PYTHON:
        raise MissingExtra(
            f"{name} cannot be cut along its syntax: its grammar is not installed",
            remedy="Run `pip install 'mainspring[code]'`, or set rag.chunker to auto",
        )
    try:
        return _from_ast(ast.parse(text), text.split("\n"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@cache
def grammar(suffix: str) -> Any | None:
    """tree-sitter's grammar of files with this ending (see ``language``); None if it is not installed."""
    module, function = _GRAMMARS[suffix]
    try:
        from tree_sitter import Language

        return Language(getattr(import_module(module), function)())
    except ImportError:
        return None


# --- tree-sitter ------------------------------------------------------------------------------------------------


def _from_tree_sitter(node: Any) -> Node:
    first, (last, column) = node.start_point[0], node.end_point
    # A node that ends at the start of a line does not cover that line.
    last = max(first, last - 1) if column == 0 else last
    name = defined_name(node)
    wraps = bool(name and _WRAPS.search(node.type) and not defines(node.type))

    def children() -> Iterator[Node]:
        for child in map(_from_tree_sitter, node.children):
            # The inner definition already has the name.
            if wraps and child.name == name:
                yield from child.children()
            else:
                yield child

    return Node(first, last, name, bool(_LEADS.search(node.type)), children)


def defines(kind: str) -> bool:
    """Whether nodes of tree-sitter of this kind define something."""
    return bool(_DEFINES.search(kind) and not _DEFINES_NOT.search(kind))


def defined_name(node: Any, depth: int = 0) -> str:
    """The definition in a node, seen through its wrappers (decorators, exports, templates)."""
    kind = node.type
    if defines(kind):
        field = "type" if kind.startswith("impl_") else "name"
        named = node.child_by_field_name(field) or _declared(node)
        if named is not None:
            return _text(named)
    if kind == "variable_declarator":
        value = node.child_by_field_name("value")
        named = node.child_by_field_name("name")
        return _text(named) if value is not None and named is not None and value.type in _VALUES else ""
    if depth < 3 and _WRAPS.search(kind):
        return next((name for child in node.named_children if (name := defined_name(child, depth + 1))), "")
    return ""


def _declared(node: Any) -> Any | None:
    """The innermost declarator of a C or C++ definition: its name."""
    found = node.child_by_field_name("declarator")
    while found is not None and (inner := found.child_by_field_name("declarator")) is not None:
        found = inner
    return found


def _text(node: Any) -> str:
    return " ".join(node.text.decode("utf-8", "replace").split())[:80]


# --- Python's own parser ----------------------------------------------------------------------------------------


def _from_ast(node: Any, lines: Sequence[str]) -> Node:
    def children() -> Iterator[Node]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                yield _from_ast(child, lines)

    if isinstance(node, ast.Module):
        return Node(0, len(lines) - 1, "", False, children)
    if isinstance(node, ast.match_case):
        return Node(node.pattern.lineno - 1, (node.body[-1].end_lineno or 1) - 1, "", False, children)
    first = min(each.lineno for each in (node, *getattr(node, "decorator_list", ()))) - 1
    # Comments are no nodes here; comments directly above a node belong to it.
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    defines = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return Node(first, (node.end_lineno or 1) - 1, node.name if defines else "", False, children)
