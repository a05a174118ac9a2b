"""Bodies of requests whose fields can be read, replaced and left out: JSON, and forms of several parts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Protocol


class Content(Protocol):
    def without(self, name: str) -> bool:
        """Leave a field out, by the name that an error has; False if there is none."""
        ...

    def written(self) -> tuple[bytes, str]:
        """The body and its media type."""
        ...


@dataclass
class Json:
    value: dict[str, Any]

    def without(self, name: str) -> bool:
        *way, last = re.split(r"[.\[\]]+", name.strip("[]."))
        here: Any = self.value
        for step in way:
            found = _entry(here, step)
            if found is None:
                # Names of types stand within the way to a field of one of several types.
                continue
            here = found
        if isinstance(here, dict) and last in here:
            del here[last]
            return True
        if isinstance(here, list) and last.isdigit() and int(last) < len(here):
            del here[int(last)]
            return True
        return False

    def written(self) -> tuple[bytes, str]:
        return json.dumps(self.value).encode(), "application/json"


def _entry(here: Any, step: str) -> Any:
    if isinstance(here, dict):
        return here.get(step)
    if isinstance(here, list) and step.isdigit() and int(step) < len(here):
        return here[int(step)]
    return None


@dataclass
class Part:
    name: str
    head: bytes
    data: bytes

    @property
    def file(self) -> bool:
        return b"filename=" in self.head


@dataclass
class Multipart:
    boundary: bytes
    parts: list[Part] = field(default_factory=list)

    @classmethod
    def read(cls, kind: str, body: bytes) -> Multipart:
        found = re.search(r'boundary="?([^";]+)', kind)
        boundary = found[1].encode() if found else b""
        made = cls(boundary)
        for piece in body.split(b"--" + boundary)[1:-1]:
            head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            named = re.search(rb'name="([^"]*)"', head)
            made.parts.append(Part(named[1].decode() if named else "", head, data.removesuffix(b"\r\n")))
        return made

    def without(self, name: str) -> bool:
        wanted = re.split(r"[\[.]", name)[0]
        kept = [part for part in self.parts if re.split(r"[\[.]", part.name)[0] != wanted]
        shorter, self.parts = len(kept) < len(self.parts), kept
        return shorter

    def written(self) -> tuple[bytes, str]:
        pieces = [
            b"--" + self.boundary + b"\r\n" + part.head + b"\r\n\r\n" + part.data + b"\r\n" for part in self.parts
        ]
        return b"".join(
            pieces
        ) + b"--" + self.boundary + b"--\r\n", f"multipart/form-data; boundary={self.boundary.decode()}"
