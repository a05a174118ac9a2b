"""Code execution as a tool: Python that a model writes, in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from pydantic import Field

from mainspring.agents.sandbox.base import Sandbox, SandboxLimits
from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
from mainspring.agents.tools.sources.artifacts import KeptFiles
from mainspring.agents.tools.sources.options import CallOptions
from mainspring.core.types import Tool

_PROPERTIES: dict[str, Any] = {
    "code": {"type": "string", "description": "A Python program. The value of its last line comes back."}
}
_FILES = {
    "type": "array",
    "items": {"type": "string"},
    "maxItems": 20,
    "description": "Ids of artifacts, which lie in the working folder under their names",
}
_RESULT = {
    "type": "object",
    "properties": {"stdout": {"type": "string"}, "value": {}, "error": {"type": "string"}, "files": {"type": "array"}},
}
_WORDS = {
    "monty": (
        "Runs Python: arithmetic, data and text. There are math, json, re, datetime, collections, itertools, random, "
        "dataclasses and files in the working folder; no other packages and no network. Nothing is kept between calls."
    )
}
_CPYTHON = "Runs Python {packages}in a closed folder without network. Nothing is kept between calls."


class CodeOptions(CallOptions):
    """``artifacts``: files that the code leaves are kept as artifacts, and it may be given some."""

    name: str = Field("code_interpreter", pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    artifacts: bool = True
    seconds: float | None = Field(None, gt=0, le=600)
    examples: tuple[str, ...] = ("What is 17 percent of 348?", "Compute the standard deviation of these numbers")


@runtime_checkable
class CodeRunner(Protocol):
    """A service that runs code of requests."""

    def box(self) -> Sandbox:
        """The sandbox of the settings. Raises ``SettingsError``."""
        ...

    def limits(self) -> SandboxLimits: ...

    def kept(self) -> KeptFiles:
        """Where the files of runs are kept."""
        ...


class CodeTool:
    """Runs code in ``sandbox`` within ``limits``."""

    def __init__(
        self,
        options: CodeOptions,
        sandbox: Sandbox,
        limits: SandboxLimits,
        artifacts: KeptFiles | None,
        packages: Sequence[str] = (),
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """``files`` lie in the working folder of each run."""
        self._files = files or {}
        self._artifacts = artifacts if options.artifacts else None
        properties = dict(_PROPERTIES) | ({"files": _FILES} if self._artifacts else {})
        schema = {"type": "object", "properties": properties, "required": ["code"], "additionalProperties": False}
        known = f"with {', '.join(packages)} " if packages else ""
        words = _WORDS.get(sandbox.name, _CPYTHON.format(packages=known))
        if self._files:
            words += f" In its working folder lie: {', '.join(sorted(self._files))}."
        self.declaration = Tool(options.name, words, schema)
        # A run that kept files is repeated under the same key, so they are kept once.
        self.policy: ToolPolicy = options.policy(result=_RESULT, timeout_s=limits.seconds + 20)
        self.examples = options.examples
        self._sandbox = sandbox
        self._limits = limits

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        principal, files = context.context.principal, dict(self._files)
        for each in arguments.get("files") or () if self._artifacts else ():
            assert self._artifacts is not None
            artifact, data = await self._artifacts.get(principal, str(each))
            files[artifact.name] = data
        done = await self._sandbox.run(str(arguments["code"]), files, self._limits)
        output: dict[str, Any] = {}
        if done.stdout:
            output["stdout"] = done.stdout
        if done.value is not None:
            output["value"] = done.value
        if done.error:
            output["error"] = done.error
        if done.files:
            output["files"] = [await self._kept(name, data, context) for name, data in sorted(done.files.items())]
        return ToolResult(output)

    async def _kept(self, name: str, data: bytes, context: ToolContext) -> dict[str, Any]:
        told: dict[str, Any] = {"name": name, "bytes": len(data)}
        if self._artifacts is not None:
            made = await self._artifacts.put(context.context.principal, name, data, f"{context.key}:{name}")
            told["id"] = made.id
        return told
