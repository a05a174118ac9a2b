"""Reads documents within the tests' process, where the life of a child is not under test: starting one takes a quarter
of a second of CPU."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TypeVar

from mainspring.rag.cutting import child as cutting_child
from mainspring.rag.cutting import messages
from mainspring.rag.parse import child as parse_child
from mainspring.rag.parse import frames
from mainspring.rag.workers import Hear, Workers

_T = TypeVar("_T")
# pdfium reads for one thread at a time.
_ONE_AT_A_TIME = threading.Lock()


def _answer(module: str, request: bytes, data: bytes) -> bytes:
    head = request[frames.LENGTH.size :]
    with _ONE_AT_A_TIME:
        if module == parse_child.__name__:
            return b"".join(parse_child.answered(data, frames.read_request(head)))
        if module == cutting_child.__name__:
            return b"".join(cutting_child.answered(data, messages.cut_asked(head)))
    raise AssertionError(f"no child is known as {module}")


async def ask_here(self: Workers, name: str, timeout_s: float, pieces: Sequence[bytes], hear: Hear[_T]) -> _T:
    """In place of ``Workers.ask``: the code and the frames of the child, without its process and its limits."""
    request, data = pieces
    answers = asyncio.StreamReader(limit=2**30)
    answers.feed_data(await asyncio.to_thread(_answer, self._module, request, data))
    answers.feed_eof()
    return await hear(answers)
