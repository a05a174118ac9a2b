"""The parser's child process: reads one request after the other from standard input, under limits.

Run as ``python -m mainspring.rag.parse_child``. A request and an answer are frames: the length of a pickled head as
8 bytes, the head, then (requests) the document's bytes. What a hostile document does, it does here.
"""

from __future__ import annotations

import os
import pickle
import resource
import struct
import sys
from typing import Any, BinaryIO

from mainspring.errors import MainspringError, UnreadableDocument
from mainspring.rag import readers
from mainspring.rag.document import Parsed

_LENGTH = struct.Struct(">Q")
_MAX_FILE_BYTES = 256 * 2**20


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends."""
    while True:
        head = requests.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return
        request: dict[str, Any] = pickle.loads(requests.read(_LENGTH.unpack(head)[0]))  # noqa: S301 - our parent's
        data = requests.read(request["bytes"])
        if len(data) < request["bytes"]:
            return
        _limit_cpu(request["timeout_s"])
        answer = pickle.dumps(_answer(data, request))
        answers.write(_LENGTH.pack(len(answer)))
        answers.write(answer)
        answers.flush()


def _answer(data: bytes, request: dict[str, Any]) -> Parsed | MainspringError:
    name = request["name"]
    try:
        return readers.read(data, name, request["kind"], request["options"])
    except MainspringError as error:
        return error
    except MemoryError:
        return UnreadableDocument(
            f"{name} needs more memory than rag.parse_memory_mb allows", remedy="Raise it, or split the file"
        )
    except RecursionError:
        return UnreadableDocument(f"{name} is nested too deeply", remedy="Flatten it, or export it as text")
    except Exception as error:
        # Any failure of a third party's parser is a fact about the document, not about the server.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return UnreadableDocument(f"{name} cannot be parsed ({reason})", remedy="Save it anew or export it as PDF")


def _limit_cpu(timeout_s: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + timeout_s) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _limit(memory_mb: int) -> None:
    # Private memory, not address space: libraries map far more than they touch.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Keep the pipe to the parent for answers alone, then serve."""
    _limit(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    # Libraries print; their words must not get between the frames.
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
