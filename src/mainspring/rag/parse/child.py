"""The parser's child process: reads one request after the other from standard input, under limits.

Run as ``python -m mainspring.rag.parse.child``. Requests and answers are frames: see ``parse_frames``. A hostile
document affects only this process.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from mainspring.core.errors import MainspringError, UnreadableDocument
from mainspring.rag.parse import formats, frames, kinds
from mainspring.rag.parse.pdf import page_picture

_MAX_FILE_BYTES = 256 * 2**20
_YIELDS = 10


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends."""
    while True:
        head = requests.read(frames.LENGTH.size)
        if len(head) < frames.LENGTH.size:
            return
        asked = frames.read_request(requests.read(frames.LENGTH.unpack(head)[0]))
        data = requests.read(asked.bytes)
        if len(data) < asked.bytes:
            return
        limit_cpu(asked.timeout_s)
        answers.writelines(answered(data, asked))
        answers.flush()


def answered(data: bytes, asked: frames.ReadRequest) -> list[bytes]:
    """The answer about the document ``data``, in pieces."""
    found = _answer(data, asked)
    try:
        return frames.answer(found, len(data))
    except MemoryError:
        return frames.answer(_no_memory(asked.name), len(data))


def _answer(data: bytes, asked: frames.ReadRequest) -> frames.Answer:
    name = asked.name
    try:
        if asked.page:
            return page_picture.render_page(data, name, asked.page, asked.quote, asked.options.max_pages)
        kind, warning = kinds.detect(data, name, formats.by_suffix())
        found = formats.read(data, name, kind, asked.options)
        return replace(found, warnings=(warning, *found.warnings)) if warning else found
    except MainspringError as error:
        return error
    except MemoryError:
        return _no_memory(name)
    except RecursionError:
        return UnreadableDocument(f"{name} is nested too deeply", remedy="Flatten it, or export it as text")
    except Exception as error:
        # Any failure of a third party's parser is a fact about the document, not about the server.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return UnreadableDocument(f"{name} cannot be parsed ({reason})", remedy="Save it again or export it as PDF")


def _no_memory(name: str) -> UnreadableDocument:
    return UnreadableDocument(
        f"{name} needs more memory than rag.parse_memory_mb allows", remedy="Raise it, or split the file"
    )


def limit_cpu(timeout_s: float) -> None:
    """Let this process compute for this long from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + timeout_s) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _limit(memory_mb: int) -> None:
    # Private memory, not address space: libraries map far more than they touch.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def child_main(serve: Callable[[BinaryIO, BinaryIO], None]) -> None:
    """Keep the pipe to the parent for answers alone, then serve."""
    # Documents are less urgent than answers.
    os.nice(_YIELDS)
    _limit(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    # Libraries print; their words must not get between the frames.
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    child_main(serve)
