"""The messages between the child that chunks documents and its parent.

A request is the length of its head (8 bytes, big-endian), the head (JSON), and the text in UTF-8. An answer is such a
head, followed by the data that it announces: a row of numbers for each chunk (int64, ``COLUMNS``), a digest for each
chunk (32 bytes), and the graph. Chunks are spans of the text that the parent has: no text comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from mainspring.core import errors
from mainspring.core.errors import MainspringError, UnreadableDocument
from mainspring.rag.chunk.base import Chunk
from mainspring.rag.chunk.chunking import CutRecipe
from mainspring.rag.parse.frames import LENGTH
from mainspring.rag.parse.parsed import Heading, Page

COLUMNS = 8
"""Start, end, page, number of the heading, tokens, number of the lead, start and end of the parent."""
DIGEST = 32
_NONE = -1
_ERRORS = {each.__name__: each for each in (UnreadableDocument, errors.MissingExtra)}
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CutRequest:
    """A document to cut; ``bytes`` of text follow. ``tokenizer`` is the path of the file that counts tokens.

    ``embedder`` is part of the digests of embedded texts. With ``graph``, its graph is also read by rules, over chunks
    named ``graph``, a point and their number.
    """

    name: str
    title: str
    kind: str
    bytes: int
    pages: tuple[Page, ...]
    headings: tuple[Heading, ...]
    recipe: CutRecipe
    tokenizer: str
    embedder: str
    graph: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class CutHead:
    """The head of an answer. The embedded text of a chunk is its lead and its text. ``error`` names an error of
    ``mainspring.core.errors``; empty if there is none."""

    chunks: Annotated[int, Field(ge=0)] = 0
    graph: Annotated[int, Field(ge=0)] = 0
    headings: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    error: str = ""
    message: str = ""
    remedy: str = ""

    @property
    def behind(self) -> int:
        """Bytes that follow it."""
        return self.chunks * (8 * COLUMNS + DIGEST) + self.graph


@dataclass(frozen=True, slots=True)
class Cut:
    """A document's chunks, the digest of the embedded text of each chunk, and the document's graph (None: not
    requested)."""

    chunks: Sequence[Chunk]
    digests: Sequence[str]
    graph: str | None = None


_REQUEST: TypeAdapter[CutRequest] = TypeAdapter(CutRequest)
_HEAD: TypeAdapter[CutHead] = TypeAdapter(CutHead)


def cut_request(asked: CutRequest) -> bytes:
    """A request's frame, without the text."""
    return _framed(asdict(asked))


def cut_asked(head: bytes) -> CutRequest:
    """A request from its head. Raises ``ValueError``."""
    return _REQUEST.validate_json(head)


def cut_failed(error: MainspringError) -> list[bytes]:
    """The frame of an answer that is none."""
    return [_framed(asdict(CutHead(error=type(error).__name__, message=error.message, remedy=error.remedy)))]


def cut_answer(text: str, chunks: Sequence[Chunk], digests: Sequence[bytes], graph: str) -> list[bytes]:
    """The frame of an answer about ``text``, in pieces."""
    headings: dict[str, int] = {}
    leads: dict[str, int] = {}
    numbers = np.empty((len(chunks), COLUMNS), np.int64)
    for row, one in zip(numbers, chunks, strict=True):
        lead = one.embedded.removesuffix(text[one.start : one.end])
        page = _NONE if one.page is None else one.page
        parent = one.parent or (_NONE, _NONE)
        heading = headings.setdefault(one.heading, len(headings))
        row[:] = (one.start, one.end, page, heading, one.tokens, leads.setdefault(lead, len(leads)), *parent)
    told = graph.encode()
    head = CutHead(len(chunks), len(told), tuple(headings), tuple(leads))
    return [_framed(asdict(head)), numbers.tobytes(), b"".join(digests), told]


def cut_head(head: bytes, text: str) -> CutHead:
    """The head of an answer about ``text``. Raises ``ValueError`` for what none is, ``UnreadableDocument`` or
    ``MissingExtra`` if the document could not be cut."""
    found = _HEAD.validate_json(head)
    if found.error:
        raise _ERRORS.get(found.error, UnreadableDocument)(found.message, remedy=found.remedy)
    if found.chunks > len(text):
        raise ValueError("the answer announces more chunks than the text has characters")
    return found


def cut_of(head: CutHead, behind: bytes, text: str) -> Cut:
    """The content of an answer about ``text``. Raises ``ValueError`` if it is not one."""
    count = head.chunks
    numbers: Numbers = np.frombuffer(behind, np.int64, count * COLUMNS).reshape(count, COLUMNS)
    _check(numbers, head, len(text))
    at = numbers.nbytes
    digests = behind[at : at + count * DIGEST].hex()
    chunks = [_chunk(row, head, text) for row in numbers.tolist()]
    names = [digests[start : start + 2 * DIGEST] for start in range(0, len(digests), 2 * DIGEST)]
    return Cut(chunks, names, behind[at + count * DIGEST :].decode() or None)


def _chunk(row: Sequence[int], head: CutHead, text: str) -> Chunk:
    start, end, page, heading, tokens, lead, parent_start, parent_end = row
    parent = None if parent_start == _NONE else (parent_start, parent_end)
    embedded = head.leads[lead] + text[start:end]
    return Chunk(start, end, None if page == _NONE else page, head.headings[heading], tokens, embedded, parent)


def _check(numbers: Numbers, head: CutHead, length: int) -> None:
    start, end, page, heading, tokens, lead, parent_start, parent_end = numbers.T
    no_parent = (parent_start == _NONE) & (parent_end == _NONE)
    right = (
        (start >= 0) & (start < end) & (end <= length) & (page >= _NONE) & (tokens >= 0)
        & (heading >= 0) & (heading < len(head.headings)) & (lead >= 0) & (lead < len(head.leads))
        & (no_parent | ((parent_start >= 0) & (parent_start < parent_end) & (parent_end <= length)))
    )  # fmt: skip
    if not right.all():
        raise ValueError("the answer has chunks that lie outside the text")


def _framed(head: Any) -> bytes:
    encoded = orjson.dumps(head)
    return LENGTH.pack(len(encoded)) + encoded
