"""Objects of the protocol as JSON: tasks, messages, updates. What a message says to a model.

Shapes are those of A2A 1.0 (ProtoJSON): ``camelCase`` names, absent fields left out.
"""

from __future__ import annotations

import base64
import binascii
import copy
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import mainspring.stores.sql.ids as ids
from mainspring.core.types import Citation

Json = dict[str, Any]
SUBMITTED, WORKING, COMPLETED, FAILED, CANCELED, REJECTED, INPUT_REQUIRED = (
    f"TASK_STATE_{name}"
    for name in ("SUBMITTED", "WORKING", "COMPLETED", "FAILED", "CANCELED", "REJECTED", "INPUT_REQUIRED")
)
TERMINAL = frozenset((COMPLETED, FAILED, CANCELED, REJECTED))
"""States after which nothing changes."""
SETTLED = TERMINAL | {INPUT_REQUIRED, "TASK_STATE_AUTH_REQUIRED"}
"""States in which nobody works on the task."""
TEXT, DATA = "text/plain", "application/json"
MODES = (TEXT, DATA)
"""Media types that agents here read."""
EXTENSION = "https://mainspring.dev/a2a/citations/v1"
"""The extension under which artifacts carry the citations of an answer."""


class UnreadablePart(ValueError):
    """A message part that no agent can read."""


def now() -> str:
    """The present time as the protocol writes it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def at(task: Mapping[str, Any]) -> float:
    """The time of a task's status in Unix seconds, exact to the microsecond."""
    return datetime.datetime.fromisoformat(str(task["status"]["timestamp"])).timestamp()


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says, as text for a model. Raises ``UnreadablePart``."""
    return "\n\n".join(filter(None, map(_read, message.get("parts", ()))))


def _read(part: Mapping[str, Any]) -> str:
    if "text" in part:
        return str(part["text"])
    if "data" in part:
        return json.dumps(with_integers(part["data"]), ensure_ascii=False)
    kind = str(part.get("mediaType", "")).partition(";")[0].strip().lower()
    if "url" in part:
        raise UnreadablePart("files are not downloaded from URLs; send their text")
    if not kind.startswith("text/") and kind != DATA:
        raise UnreadablePart(f"parts of the type {kind or 'unknown'} are not supported; send text or JSON")
    try:
        content = base64.b64decode(part.get("raw", ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise UnreadablePart("a part of the type text must be text in UTF-8") from None
    name = part.get("filename")
    return f"{name}:\n{content}" if name else content


def with_integers(value: Any) -> Any:
    """JSON with whole numbers as such: the protocol's messages hold every number as a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: with_integers(each) for name, each in value.items()}
    return [with_integers(each) for each in value] if isinstance(value, list) else value


def message(task: Mapping[str, Any], parts: Sequence[Json], metadata: Json | None = None) -> Json:
    """A message of the agent."""
    made: Json = {"messageId": ids.new("msg_"), "role": "ROLE_AGENT", "parts": list(parts)}
    made |= {"taskId": task["id"], "contextId": task["contextId"]}
    return made | ({"metadata": metadata} if metadata else {})


def status(state: str, message: Json | None = None) -> Json:
    """A status as of now."""
    return {"state": state, "timestamp": now()} | ({"message": message} if message else {})


def status_update(task: Mapping[str, Any]) -> Json:
    """The event that tells the status of ``task``."""
    told = {"taskId": task["id"], "contextId": task["contextId"], "status": copy.deepcopy(task["status"])}
    return {"statusUpdate": told}


def artifact_update(task: Mapping[str, Any], artifact: Json, *, append: bool, last: bool) -> Json:
    """The event that tells a piece of an artifact."""
    told: Json = {"taskId": task["id"], "contextId": task["contextId"], "artifact": copy.deepcopy(artifact)}
    return {"artifactUpdate": told | ({"append": True} if append else {}) | ({"lastChunk": True} if last else {})}


def cited(citations: Sequence[Citation]) -> Json:
    """The fields by which an artifact carries citations; none without any."""
    if not citations:
        return {}
    told = [
        {
            "index": each.index,
            "source": each.source,
            "documentId": each.document_id,
            "quote": each.quote,
            "start": each.start,
            "end": each.end,
            **({"page": each.page} if each.page is not None else {}),
            **({"heading": each.heading} if each.heading else {}),
        }
        for each in citations
    ]
    return {"extensions": [EXTENSION], "metadata": {"citations": told}}


def accepts_data(options: Mapping[str, Any]) -> bool:
    """Whether the caller takes JSON rather than text."""
    modes = options.get("output_modes", ())
    return DATA in modes and TEXT not in modes


def as_data(text: str) -> Json | None:
    """The data part that ``text`` is; None if it is no JSON object or list."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return {"data": value, "mediaType": DATA} if isinstance(value, dict | list) else None
