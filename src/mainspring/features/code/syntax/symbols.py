"""What a source file defines and imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.features.code.syntax import trees
from mainspring.rag.chunk import syntax

Kind = Literal["function", "class", "value"]
_FUNCTION = re.compile(r"function|method|constructor|arrow|lambda|^method$|func_literal")
_IMPORT = re.compile(
    r"^import|^future_import|use_declaration|preproc_include|using_directive|^package_clause|import_spec"
)
_VALUE = re.compile(
    r"^assignment$|const_item|static_item|const_spec|var_spec|variable_declarator|type_alias|^const$|"
    r"^assignment_expression$"
)
# What may hold definitions besides other definitions.
_HOLDS = re.compile(
    r"^module$|^program$|source_file|translation_unit|block|body|list|export|decorated|declaration|statement|"
    r"namespace|impl_|linkage|preproc_if|const|var|template|compilation_unit|singleton"
)
WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_MAX_SIGNATURE, _MAX_DEPTH, _MAX_SYMBOLS = 300, 8, 2_000


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition on the lines ``first`` to ``last`` (from 0). ``owner`` is the class or module that it is in (empty:
    the file), ``signature`` the text in front of its body, on one line."""

    name: str
    kind: Kind
    first: int
    last: int
    owner: str = ""
    signature: str = ""

    @property
    def path(self) -> str:
        """Its name within the file."""
        return f"{self.owner}.{self.name}" if self.owner else self.name


@dataclass(frozen=True, slots=True)
class Outline:
    """The symbols of a file in the order of their lines, the texts of its imports, and whether its syntax is whole."""

    symbols: tuple[Symbol, ...] = ()
    imports: tuple[str, ...] = ()
    whole: bool = True


def outline(text: str, suffix: str) -> Outline:
    """What ``text`` defines and imports; empty if no grammar reads it. Raises ``MissingExtra``."""
    tree = trees.parse(text, suffix)
    if tree is None:
        return Outline()
    symbols: list[Symbol] = []
    imports: list[str] = []
    for found in _walk(tree.root_node, "", 0):
        if isinstance(found, Symbol):
            symbols.append(found)
        else:
            imports.append(found)
        if len(symbols) >= _MAX_SYMBOLS:
            break
    symbols.sort(key=lambda each: (each.first, -each.last))
    return Outline(tuple(symbols), tuple(dict.fromkeys(imports)), not tree.root_node.has_error)


def words(text: str) -> list[str]:
    """The identifiers of ``text``, in order."""
    return WORD.findall(text)


def _walk(node: Any, owner: str, depth: int) -> Iterator[Symbol | str]:
    if depth > _MAX_DEPTH:
        return
    for child in node.named_children:
        kind = child.type
        if _IMPORT.search(kind):
            yield _line(child, _MAX_SIGNATURE)
        elif syntax.defines(kind):
            yield from _defined(child, owner, depth)
        elif _VALUE.search(kind):
            yield from _valued(child, owner)
        elif _HOLDS.search(kind):
            yield from _walk(child, owner, depth + 1)


def _defined(node: Any, owner: str, depth: int) -> Iterator[Symbol | str]:
    name = syntax.defined_name(node)
    function = bool(_FUNCTION.search(node.type)) and "class" not in node.type
    body = node.child_by_field_name("body")
    if name:
        yield _symbol(_with_leads(node), name, "function" if function else "class", owner, body, node)
    if not function:
        yield from _walk(body if body is not None else node, name or owner, depth + 1)


def _valued(node: Any, owner: str) -> Iterator[Symbol]:
    """A constant, a variable, or a function that is assigned to a name."""
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    named = node.child_by_field_name("left") or node.child_by_field_name("name")
    function = value is not None and bool(_FUNCTION.search(value.type))
    if function and named is not None and named.type == "member_expression":
        named = named.child_by_field_name("property")
    if named is None or not re.search(r"identifier|constant|^name$", named.type):
        return
    name = named.text.decode("utf-8", "replace")[:80]
    if value is not None and function:
        yield _symbol(node, name, "function", owner, value.child_by_field_name("body") or value)
    else:
        yield _symbol(node, name, "value", owner, None)


def _with_leads(node: Any) -> Any:
    """The decorated definition or export around ``node``, if there is one."""
    outer = node.parent
    return outer if outer is not None and re.search(r"decorated|export|template", outer.type) else node


def _symbol(whole: Any, name: str, kind: Kind, owner: str, body: Any | None, inner: Any | None = None) -> Symbol:
    first, last = whole.start_point[0], whole.end_point[0]
    text = (inner or whole).text.decode("utf-8", "replace")
    if body is not None:
        length = body.start_byte - (inner or whole).start_byte
        text = (inner or whole).text[:length].decode("utf-8", "replace")
    return Symbol(name, kind, first, last, owner, " ".join(text.split())[:_MAX_SIGNATURE].rstrip(" {:"))


def _line(node: Any, most: int) -> str:
    return " ".join(node.text.decode("utf-8", "replace").split())[:most]
