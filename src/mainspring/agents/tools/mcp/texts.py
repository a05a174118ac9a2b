"""What a server says, made fit to be read: its names, its descriptions, its schemas and its results.

All of it is a stranger's text. Characters that people do not see are taken out, since they hide instructions from those
who approve a tool; lengths are bounded; a schema may not refer to other places.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

MAX_DESCRIPTION = 2_000
MAX_SCHEMA_BYTES = 32_768
MAX_NAME = 64
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_KEPT = ("\n", "\t")
# Unassigned, private, controls, surrogates and formats: tags, zero-width and bidirectional marks are among the last.
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cs", "Cn"))
_WORDS = frozenset(("description", "title", "$comment"))


def clean(text: str, most: int = MAX_DESCRIPTION) -> str:
    """``text`` without what nobody sees, at most ``most`` characters."""
    seen = "".join(
        each for each in _ESCAPES.sub("", text) if each in _KEPT or unicodedata.category(each) not in _UNSEEN
    ).strip()
    return seen if len(seen) <= most else seen[:most] + " [cut]"


def tool_name(prefix: str, name: str) -> str:
    """The name for models: after the server's, so that no server's tool stands in for another's."""
    whole = _UNFIT.sub("_", f"{prefix}_{name}")
    if len(whole) <= MAX_NAME and whole == f"{prefix}_{name}":
        return whole
    # What was changed or cut off must not make two names one.
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{whole[: MAX_NAME - 9]}_{digest}"


def schema(given: Any) -> dict[str, Any] | None:
    """A schema of arguments with readable words; None: it cannot be used (no object, too large, or it refers to another
    document)."""
    if not isinstance(given, Mapping) or given.get("type", "object") != "object":
        return None
    try:
        if len(orjson.dumps(given)) > MAX_SCHEMA_BYTES:
            return None
    except (TypeError, ValueError, RecursionError):
        return None
    if not _closed(given):
        return None
    read = _read(given)
    assert isinstance(read, dict)
    return {"type": "object", "properties": {}, **read}


def _closed(value: Any) -> bool:
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name in ("$ref", "$dynamicRef") and isinstance(each, str) and not each.startswith("#"):
                return False
            if not _closed(each):
                return False
    return all(map(_closed, value)) if isinstance(value, list) else True


def _read(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {str(key): _read(each, str(key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_read(each, name) for each in value]
    return clean(value, 500) if isinstance(value, str) and name in _WORDS else value


def digest(name: str, description: str, parameters: Any, annotations: Any) -> str:
    """What an approval of a tool is about: all that its server says of it, as it says it."""
    said = orjson.dumps([name, description, parameters, annotations], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(said).hexdigest()


def shown(content: Iterable[Any], structured: Any, most: int) -> Any:
    """A result for a model: the data if there are some, else the text. What is neither is named."""
    if structured is not None:
        written = orjson.dumps(structured, option=orjson.OPT_NON_STR_KEYS).decode()
        return structured if len(written) <= most else _cut(written, most)
    return _cut("\n".join(filter(None, map(_said, content))), most)


def _said(block: Any) -> str:
    kind = getattr(block, "type", "")
    if kind == "text":
        return str(block.text)
    if kind in ("image", "audio"):
        return f"[{kind}, {clean(block.mime_type, 100)}, not shown]"
    if kind == "resource_link":
        return f"{clean(block.name, 200)}: {clean(str(block.uri), 500)}"
    if kind == "resource":
        text = getattr(block.resource, "text", None)
        return str(text) if text is not None else f"[{clean(str(block.resource.uri), 500)}, no text]"
    return ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n[The rest, {len(text) - most} characters, was cut off.]"
