"""The templates of prompts: text with named variables, and sections that are shown or not. No code, no lookups.

    Answer as {{company}}'s support. {{#tone}}Be {{tone}}.{{/tone}}{{^tone}}Be brief.{{/tone}}

``{{name}}`` is a variable's value. Text between ``{{#name}}`` and ``{{/name}}`` is shown if the value is not empty,
between ``{{^name}}`` and ``{{/name}}`` if it is. A backslash before two braces makes them two braces. A value is
inserted unchanged: braces in it mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mainspring.core.errors import InvalidRequest
from mainspring.core.nearest import nearest

MAX_DEPTH = 8
_TAG = re.compile(r"\\\{\{|\{\{(?:([#^/]?)\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\})?")


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str


@dataclass(slots=True)
class _Section:
    name: str
    shown: bool
    line: int
    nodes: list[_Node]


_Node = str | _Variable | _Section


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read: ``variables`` are the names in it, in the order in which they come."""

    nodes: Sequence[_Node]
    variables: tuple[str, ...]

    def render(self, values: Mapping[str, str], most: int) -> str | None:
        """The text; None, without building it, if it would have more than ``most`` characters: a variable that occurs a
        thousand times is a thousand times as long. ``values`` has every variable: see ``checked``."""
        parts: list[str] = []
        for part in _rendered(self.nodes, values):
            most -= len(part)
            if most < 0:
                return None
            parts.append(part)
        return "".join(parts)


def parse(text: str, param: str = "template") -> Template:
    """Raises ``InvalidRequest`` naming ``param`` and the line at fault."""
    open_nodes: list[list[_Node]] = [[]]
    sections: list[_Section] = []
    variables: dict[str, None] = {}
    end, line = 0, 1
    for tag in _TAG.finditer(text):
        open_nodes[-1].append(text[end : tag.start()])
        line += text.count("\n", end, tag.start())
        end = tag.end()
        sigil, name = tag.group(1), tag.group(2)
        if tag.group().startswith("\\"):
            open_nodes[-1].append("{{")
        elif name is None:
            raise _wrong(param, line, "'{{' begins no variable", "Write {{name}}, or \\{{ for two braces")
        elif sigil == "/":
            if not sections or sections[-1].name != name:
                inside = f"the section that is open is {sections[-1].name!r}" if sections else "no section is open"
                raise _wrong(param, line, f"{{{{/{name}}}}} ends no section: {inside}", "Sections nest")
            sections.pop()
            open_nodes.pop()
        else:
            variables[name] = None
            if not sigil:
                open_nodes[-1].append(_Variable(name))
                continue
            section = _Section(name, sigil == "#", line, [])
            if len(sections) == MAX_DEPTH:
                raise _wrong(param, line, f"sections nest more than {MAX_DEPTH} deep", "Use fewer")
            open_nodes[-1].append(section)
            sections.append(section)
            open_nodes.append(section.nodes)
    if sections:
        left = sections[-1]
        raise _wrong(param, left.line, f"section {left.name!r} has no end", f"Write {{{{/{left.name}}}}} behind it")
    open_nodes[-1].append(text[end:])
    return Template(open_nodes[0], tuple(variables))


def checked(variables: Sequence[str], values: Mapping[str, str], name: str, param: str) -> None:
    """Whether ``values`` are exactly the ``variables`` of prompt ``name``.

    Raises ``InvalidRequest`` with the missing variables and the unknown ones."""
    missing = [each for each in variables if each not in values]
    unknown = [each for each in values if each not in variables]
    if not missing and not unknown:
        return
    problems = []
    if missing:
        problems.append(f"needs {_listed(missing)}, which {'was' if len(missing) == 1 else 'were'} not given")
    if unknown:
        problems.append(f"has no variable {_listed(unknown)}")
    close = nearest(unknown[0], missing or variables) if unknown else ""
    takes = f"It takes {', '.join(variables)}" if variables else "It takes none"
    raise InvalidRequest(
        f"prompt {name!r} {' and '.join(problems)}",
        remedy=f"Did you mean {close}?" if close else takes,
        param=f"{param}.{(missing or unknown)[0]}",
    )


def _rendered(nodes: Sequence[_Node], values: Mapping[str, str]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif isinstance(node, _Variable):
            yield values[node.name]
        elif bool(values[node.name]) == node.shown:
            yield from _rendered(node.nodes, values)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _wrong(param: str, line: int, problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(f"{param}, line {line}: {problem}", remedy=remedy, param=param)
