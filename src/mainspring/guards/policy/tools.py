"""Checks tool calls: names, schemas, addresses, paths, forbidden texts.

A rule that cannot be checked is one that is broken: arguments that are no JSON fit nothing.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

from mainspring.core.errors import InvalidSchema
from mainspring.core.settings.guards.tools import ToolRule, ToolsSettings
from mainspring.core.types import Tool
from mainspring.engines.grammar.validation import pattern, validator

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20}:)?[\\/]{2}[^\s\"'<>]*", re.IGNORECASE)
_NAMED = frozenset({"url", "uri", "href", "link", "host", "hostname", "endpoint", "domain", "address"})


def named(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of ``patterns`` (``*`` and ``?``) fits ``name``."""
    return any(fnmatchcase(name, each) for each in patterns)


def listed(name: str, settings: ToolsSettings) -> bool:
    """Whether a tool of that name may be offered and called."""
    return settings.allowed is None or named(name, settings.allowed)


def problems(tool: Tool, arguments: str, settings: ToolsSettings) -> list[str]:
    """The faults of a call of ``tool``: ``json``, ``schema``, ``host``, ``path``, ``forbidden``; each once."""
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return ["json"]
    found = []
    if tool.parameters and _unfit(tool, value):
        found.append("schema")
    for name, rule in settings.rules.items():
        if fnmatchcase(tool.name, name):
            found += broken(value, rule)
    return list(dict.fromkeys(found))


def _unfit(tool: Tool, value: Any) -> bool:
    try:
        return validator(json.dumps(tool.parameters))(value) is not None
    except InvalidSchema:
        # Arguments that cannot be checked count as unchecked.
        return True


def broken(value: Any, rule: ToolRule) -> list[str]:
    """Which parts of ``rule`` arguments break."""
    texts = list(_texts(value))
    found = []
    if rule.hosts is not None and any(not _hosted(name, text, rule.hosts) for name, text in texts):
        found.append("host")
    if any(not _inside(text, rule.paths[name]) for name, text in texts if name in rule.paths):
        found.append("path")
    matches = [pattern(source) for source in rule.forbidden]
    if any(match(text) for match in matches for _, text in texts):
        found.append("forbidden")
    return found


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, keys of objects too, with the name of the nearest argument that it is in."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield "", key
            yield from _texts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, name)


def _hosted(name: str, text: str, hosts: Sequence[str]) -> bool:
    addresses = _ADDRESS.findall(text)
    if not addresses and name.lower() in _NAMED and text.strip():
        addresses = [f"//{text.strip()}"]
    return all(_host(address, hosts) for address in addresses)


def _host(address: str, hosts: Sequence[str]) -> bool:
    try:
        # Browsers treat a backslash as a slash: the text before it is no user name.
        host = (urlsplit(address.replace("\\", "/")).hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    return any(host == each.lower() or host.endswith(f".{each.lower()}") for each in hosts)


def _inside(text: str, folders: Sequence[str]) -> bool:
    """Whether a path is one of ``folders`` or below one, in any spelling."""
    plain = text
    for _ in range(3):
        plain = unquote(plain)
    plain = plain.replace("\\", "/")
    if "\0" in plain or plain.startswith("~"):
        return False
    path = posixpath.normpath(plain)
    bases = [posixpath.normpath(each) for each in folders]
    return any(path == base or path.startswith(f"{base.rstrip('/')}/") for base in bases)
