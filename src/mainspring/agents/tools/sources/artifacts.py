"""Artifacts: files that an agent keeps by a handle and reads in parts, so that they need not stand in its context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mainspring.agents.tools.base import BaseTool, ToolContext, ToolResult
from mainspring.agents.tools.functions import FunctionTool
from mainspring.agents.tools.sources.options import CallOptions
from mainspring.core.errors import NotFound
from mainspring.core.types import Principal

_PART = 4_000
_PREVIEW = 200


class ArtifactOptions(CallOptions):
    """``part`` are the most characters of one reading."""

    part: int = 8_000


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A kept file; ``created_at`` is in Unix seconds."""

    id: str
    name: str
    bytes: int
    created_at: float


class KeptFiles(Protocol):
    """The artifacts of all tenants: each belongs to the person who made it, and nobody else finds it."""

    async def put(self, principal: Principal, name: str, data: bytes, key: str) -> KeptFile:
        """Keep ``data``; once for each ``key``. Raises ``QuotaExceeded`` and ``TooLarge``."""
        ...

    async def get(self, principal: Principal, artifact_id: str) -> tuple[KeptFile, bytes]:
        """Raises ``NotFound``."""
        ...

    async def every(self, principal: Principal) -> Sequence[KeptFile]:
        """The newest first."""
        ...


def artifact_tools(options: ArtifactOptions, artifacts: KeptFiles) -> tuple[BaseTool, ...]:
    """The tools ``save_artifact``, ``list_artifacts``, ``read_artifact`` and ``find_in_artifact``."""
    made = _ArtifactTools(options, artifacts)
    # What it keeps is its caller's own and comes back as untrusted: writing there tells nobody anything.
    writing = options.policy(effect="keyed", content=frozenset({"text"}))
    reading = options.policy()
    return (
        FunctionTool(made.save_artifact, policy=writing),
        FunctionTool(made.list_artifacts, policy=reading),
        FunctionTool(made.read_artifact, policy=reading),
        FunctionTool(made.find_in_artifact, policy=reading),
    )


class _ArtifactTools:
    """The tools are its methods: their words are told to models."""

    def __init__(self, options: ArtifactOptions, artifacts: KeptFiles) -> None:
        self._part = options.part
        self._artifacts = artifacts

    async def save_artifact(self, name: str, text: str, context: ToolContext) -> dict[str, Any]:
        """Keep a text under a name for later. Returns its id.

        Args:
            name: A file name, such as report.md.
            text: The whole content.
        """
        made = await self._artifacts.put(context.context.principal, name, text.encode(), context.key)
        return {"id": made.id, "bytes": made.bytes}

    async def list_artifacts(self, context: ToolContext) -> dict[str, Any]:
        """List the kept files with their ids and sizes."""
        found = await self._artifacts.every(context.context.principal)
        return {"artifacts": [{"id": each.id, "name": each.name, "bytes": each.bytes} for each in found]}

    async def read_artifact(self, id: str, context: ToolContext, start: int = 0, characters: int = _PART) -> Any:  # noqa: A002
        """Read a part of a kept file.

        Args:
            id: Its id.
            start: The position of the first character.
            characters: How many to read.
        """
        found = await self._text(context, id)
        if isinstance(found, ToolResult):
            return found
        start = max(0, start)
        part = found[start : start + max(0, min(characters, self._part))]
        return {"text": part, "start": start, "next": start + len(part), "characters": len(found)}

    async def find_in_artifact(self, id: str, words: str, context: ToolContext) -> Any:  # noqa: A002
        """Find where a kept file has these words.

        Args:
            id: Its id.
            words: What to look for; case does not matter.
        """
        found = await self._text(context, id)
        if isinstance(found, ToolResult):
            return found
        lowered, wanted = found.casefold(), words.casefold()
        places: list[dict[str, Any]] = []
        at = lowered.find(wanted) if wanted else -1
        while at >= 0 and len(places) < 20:
            places.append({"start": at, "text": found[max(0, at - _PREVIEW) : at + len(wanted) + _PREVIEW]})
            at = lowered.find(wanted, at + max(1, len(wanted)))
        return {"places": places, "characters": len(found)}

    async def _text(self, context: ToolContext, artifact_id: str) -> str | ToolResult:
        try:
            _, data = await self._artifacts.get(context.context.principal, artifact_id)
        except NotFound:
            return ToolResult(error=f"There is no artifact {artifact_id}. list_artifacts names those that there are.")
        return data.decode("utf-8", "replace")


def named(name: str) -> str:
    """A name of a file without a path."""
    kept = "".join(each for each in name.replace("\\", "/").rsplit("/", 1)[-1] if each.isprintable())
    return kept.strip()[:120] or "unnamed"


def plain(found: Mapping[str, bytes]) -> dict[str, int]:
    """The names and sizes of files."""
    return {name: len(data) for name, data in found.items()}
