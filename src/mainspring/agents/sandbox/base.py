"""The protocol of sandboxes, the limits of a run, and the values and files that come out of one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mainspring.core.errors import InvalidRequest

FOLDER = "/box"
"""The working folder of the code."""
_NAME = re.compile(r"[\w.+@=, ()-]{1,120}")
_NODES = 20_000
_DEPTH = 24
_INTEGER = 2**63


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one run may use: seconds on the clock, bytes of memory (of each process), bytes of output (printed and
    returned, each), bytes and number of files that it writes, and processes with threads."""

    seconds: float = 10.0
    memory: int = 256 * 2**20
    output: int = 100_000
    disk: int = 16 * 2**20
    files: int = 64
    processes: int = 8


@dataclass(frozen=True, slots=True)
class CodeResult:
    """What a run has left: what it printed, the JSON value of its last line if that is an expression, the error that
    ended it (empty: none), and the files that it wrote or changed, by name."""

    stdout: str = ""
    value: Any = None
    error: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


class Sandbox(Protocol):
    """Runs code apart from everything else: no network, no environment, no file but those given, nothing of earlier
    runs."""

    @property
    def name(self) -> str: ...

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, limits: SandboxLimits | None = None
    ) -> CodeResult:
        """Run ``code``; ``files`` lie in its working folder, under relative names.

        Whatever the code does is a result. Raises ``InvalidRequest`` for a name of a file that is none, and
        ``SettingsError`` if the sandbox cannot start on this machine, with the remedy.
        """
        ...

    async def aclose(self) -> None:
        """End its processes."""
        ...


def checked(files: Mapping[str, bytes], limits: SandboxLimits) -> None:
    """Raises ``InvalidRequest`` for files that a run cannot be given."""
    checked_sizes([len(each) for each in files.values()], limits)
    for name in files:
        if not inside(name):
            raise InvalidRequest(f"{name[:200]!r} is not a name of a file for a run", param="files")


def checked_sizes(sizes: Sequence[int], limits: SandboxLimits) -> None:
    """Raises ``InvalidRequest`` for more files, or more bytes, than a run can be given."""
    if len(sizes) > limits.files or sum(sizes) > limits.disk:
        raise InvalidRequest(f"a run takes at most {limits.files} files of together {limits.disk} bytes", param="files")


def inside(name: str) -> bool:
    """Whether a relative name stays within the working folder."""
    parts = name.split("/")
    return len(parts) <= 5 and all(_NAME.fullmatch(part) and part.strip(". ") for part in parts)


def plain(value: Any, most: int) -> Any:
    """``value`` as a JSON value of about at most ``most`` characters; what JSON has not is shown as a text."""
    return _Plain(most).of(value, 0)


def cut(text: str, most: int) -> str:
    """``text``, or its beginning with a line that says so."""
    return text if len(text) <= most else f"{text[:most]}\n[cut: the output is longer than {most} characters]"


class _Plain:
    def __init__(self, most: int) -> None:
        self._left = most
        self._nodes = _NODES

    def of(self, value: Any, depth: int) -> Any:
        self._nodes -= 1
        if self._nodes < 0 or self._left < 0 or depth > _DEPTH:
            return "[cut]"
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            self._left -= 8
            return value if value - value == 0 else str(value)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {self._key(key): self.of(each, depth + 1) for key, each in self._some(value.items())}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.of(each, depth + 1) for each in self._some(value)]
        return self._text(self._shown(value))

    def _some(self, values: Any) -> Any:
        for each in values:
            if self._nodes < 0 or self._left < 0:
                return
            yield each

    def _integer(self, value: int) -> Any:
        self._left -= 8
        if -_INTEGER <= value < _INTEGER:
            return value
        if value.bit_length() > 10_000:
            return f"[an integer of {value.bit_length()} bits]"
        return self._text(str(value))

    def _key(self, key: Any) -> str:
        return self._text(key if isinstance(key, str) else self._shown(key))

    def _text(self, text: str) -> str:
        kept = text[: max(0, self._left)]
        self._left -= len(kept)
        # Lone surrogates are no JSON.
        kept = kept.encode("utf-8", "replace").decode()
        return kept if len(kept) == len(text) else f"{kept}[cut]"

    def _shown(self, value: Any) -> str:
        try:
            return repr(value)[: max(0, self._left) + 1]
        except Exception as error:
            return f"[{type(value).__name__}: {type(error).__name__}]"
