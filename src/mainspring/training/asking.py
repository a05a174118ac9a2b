"""How a run asks what its server serves: questions as lines of JSON over a socket that its process was given.

The server answers them as the key that ordered the run, with the right to chat alone.
The socket is of this process: there is no key, and it ends with the run.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from mainspring.core.errors import MainspringError, QuotaExceeded, Unsupported
from mainspring.training.recipe import Interrupted

DESCRIPTOR = "TRAINING_ASKS"
"""The variable with the number of the socket."""
AT_ONCE = 4
"""Questions that are on their way at once."""
MOST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """What is asked of ``model``: messages with ``role`` and ``content``, under ``instruction`` (empty: its own).
    ``tokens`` bounds the answer."""

    model: str
    messages: Sequence[Mapping[str, str]]
    instruction: str = ""
    tokens: int = 256
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and whether it refuses (None: it does not say). ``error``: why there is none."""

    text: str = ""
    refused: bool | None = None
    error: str = ""


class RunSocket:
    """The socket of a run."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._read: IO[bytes] = end.makefile("rb")
        self.asked = 0

    @classmethod
    def of_process(cls) -> RunSocket:
        """Raises ``Unsupported`` where nobody answers."""
        number = os.environ.get(DESCRIPTOR, "")
        if not number.isdecimal():
            raise Unsupported("no server answers this run", remedy="Order it at a running server", param="recipe")
        return cls(socket.socket(fileno=int(number)))

    def ask(self, questions: Sequence[AskedQuestion]) -> list[Reply]:
        """The answers, in the order of the questions. Raises ``Interrupted`` if the server has gone, and
        ``QuotaExceeded`` if the run may ask no more, for its own limit or a budget's."""
        found: list[Reply | None] = [None] * len(questions)
        sent = 0
        for _ in questions:
            while sent < len(questions) and sent - sum(each is not None for each in found) < AT_ONCE:
                self._send({"id": sent, **asdict(questions[sent])})
                sent += 1
            number, reply = self._receive()
            found[number] = reply
            self.asked += 1
        return [each or Reply(error="no answer") for each in found]

    def _send(self, told: Mapping[str, Any]) -> None:
        try:
            self._end.sendall(json.dumps(told, ensure_ascii=False).encode() + b"\n")
        except OSError:
            raise Interrupted from None

    def _receive(self) -> tuple[int, Reply]:
        try:
            line = self._read.readline(4 * MOST_BYTES)
        except OSError:
            raise Interrupted from None
        if not line.endswith(b"\n"):
            raise Interrupted
        told = json.loads(line)
        if told.get("ends"):
            error: MainspringError = QuotaExceeded(told["error"], remedy=told.get("remedy", ""))
            raise error
        return int(told["id"]), Reply(told.get("text", ""), told.get("refused"), told.get("error", ""))
