"""Server-sent events from a byte stream, independent of how it is cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.core.errors import UpstreamError

MAX_EVENT_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its ``event`` field ("" if there was none) and its joined ``data`` lines."""

    kind: str
    data: str


class EventParser:
    """Feed it bytes, it gives events: LF, CRLF and CR line ends, comments, several ``data`` lines, and
    characters cut in two are all right. Raises ``UpstreamError`` for events over ``MAX_EVENT_BYTES``."""

    def __init__(self) -> None:
        self._tail = bytearray()
        self._size = 0
        self._kind = ""
        self._data: list[str] = []
        self._started = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that ``chunk`` completes."""
        self._tail += chunk
        if self._size + len(self._tail) > MAX_EVENT_BYTES and b"\n" not in chunk:
            raise UpstreamError(f"an event of the stream is longer than {MAX_EVENT_BYTES} bytes")
        # A CR at the very end may be half of a CRLF: it waits for what follows.
        end = max(self._tail.rfind(b"\n"), self._tail.rfind(b"\r", 0, -1)) + 1
        if end == 0:
            return []
        complete = bytes(self._tail[:end])
        del self._tail[:end]
        if not self._started:
            self._started = True
            complete = complete.removeprefix(b"\xef\xbb\xbf")
        events: list[ServerEvent] = []
        for line in complete.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]:
            if line:
                self._line(line)
                continue
            if self._data:
                events.append(ServerEvent(self._kind, "\n".join(self._data)))
            self._kind, self._data, self._size = "", [], 0
        return events

    def _line(self, line: bytes) -> None:
        self._size += len(line)
        if self._size > MAX_EVENT_BYTES:
            raise UpstreamError(f"an event of the stream is longer than {MAX_EVENT_BYTES} bytes")
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
