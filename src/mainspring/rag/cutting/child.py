"""The child that cuts documents: reads one request after the other from standard input, under limits.

Run as ``python -m mainspring.rag.cutting.child``; see ``messages``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import BinaryIO

from mainspring.core.errors import MainspringError, UnreadableDocument
from mainspring.rag.chunk.chunking import CountTokens, cut_by
from mainspring.rag.cutting import messages
from mainspring.rag.graph.read.graph_model import GraphPiece
from mainspring.rag.graph.read.rules import extract
from mainspring.rag.ingest.digests import digest_bytes
from mainspring.rag.parse.child import child_main, limit_cpu
from mainspring.rag.parse.frames import LENGTH
from mainspring.rag.parse.parsed import Parsed


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends."""
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        asked = messages.cut_asked(requests.read(LENGTH.unpack(head)[0]))
        data = requests.read(asked.bytes)
        if len(data) < asked.bytes:
            return
        limit_cpu(asked.timeout_s)
        answers.writelines(answered(data, asked))
        answers.flush()


def answered(data: bytes, asked: messages.CutRequest) -> list[bytes]:
    """The answer about the text ``data``, in pieces."""
    name = asked.name
    try:
        text = data.decode()
        parsed = Parsed(text, asked.pages, asked.headings, asked.kind)
        chunks = cut_by(asked.recipe, parsed, _counting(asked.tokenizer), name=name, title=asked.title)
        digests = [digest_bytes(asked.embedder, one.embedded) for one in chunks]
        graph = ""
        if asked.graph:
            pieces = [GraphPiece(f"{asked.graph}.{number}", one.start, one.end) for number, one in enumerate(chunks)]
            graph = extract(text, pieces, [one.heading for one in chunks], asked.title).dump()
        return messages.cut_answer(text, chunks, digests, graph)
    except MainspringError as error:
        return messages.cut_failed(error)
    except MemoryError:
        problem = f"{name} needs more memory than rag.parse_memory_mb allows"
        return messages.cut_failed(UnreadableDocument(problem, remedy="Raise it, or split the file"))


@lru_cache(maxsize=4)
def _counting(path: str) -> CountTokens:
    """Counts tokens as the embedder of this tokenizer does, by one thread: the limits are for a process."""
    from mainspring.engines.encode.tokens import clean, plain_tokenizer

    tokenizer = plain_tokenizer(path)

    def count(texts: Sequence[str]) -> list[int]:
        return [len(tokenizer.encode(clean(text), add_special_tokens=False).ids) for text in texts]

    return count


if __name__ == "__main__":
    child_main(serve)
