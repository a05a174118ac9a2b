"""The messages between a parser's child process and its parent: JSON of known shape, followed by pictures.

A frame is the length of its head (8 bytes, big-endian), the head, and the bytes that the head announces. Nothing in an
answer is executed or named by the child: a child that a document has taken over can say no more than a document.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter

from mainspring.core import errors, structure
from mainspring.core.errors import MainspringError, UnreadableDocument
from mainspring.rag.parse.parsed import MAX_PICTURE_BYTES, MAX_PIXELS, PNG, PagePicture, Parsed
from mainspring.rag.parse.reading_options import Options

Answer = Parsed | PagePicture | MainspringError

LENGTH = struct.Struct(">Q")
# A document's text, with its tables twice, is a few times its own size; for packed formats it is much more.
_LEAST, _TIMES, _MOST = 32 * 2**20, 16, 512 * 2**20
_MAX_IMAGES = 128 * 2**20
_MAX_VALUES = 4_000_000
# A heading takes half a kilobyte in the parent. A document has fewer; a hostile one has one in each line.
_MAX_HEADINGS = 100_000
_ERRORS = {each.__name__: each for each in (UnreadableDocument, errors.MissingExtra, errors.ModelError)}


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A document to read; ``bytes`` of it follow. With ``page`` (from 1), that page is drawn instead, with ``quote``
    marked."""

    name: str
    bytes: int
    options: Options
    timeout_s: float
    page: int = 0
    quote: str = ""


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """The reason why a document was not read: the name of an error of ``mainspring.core.errors``, and its message."""

    error: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page as a picture: its measures in pixels, the document's pages, and the lines that are marked."""

    width: Annotated[int, Field(ge=1, le=MAX_PIXELS)]
    height: Annotated[int, Field(ge=1, le=MAX_PIXELS)]
    pages: Annotated[int, Field(ge=1, le=10**7)]
    marked: Annotated[int, Field(ge=0, le=10**4)]


@dataclass(frozen=True, slots=True)
class ReadReply:
    """An answer. ``text`` is how many bytes of the document's text follow, ``images`` the lengths of the figures'
    pictures, which follow that in their order, or of the page's."""

    parsed: Parsed | None = None
    failed: ReadFailure | None = None
    images: Annotated[tuple[int, ...], Field(max_length=100_000)] = ()
    text: Annotated[int, Field(ge=0)] = 0
    drawn: DrawnPage | None = None


def most(size: int) -> int:
    """Maximum bytes of the head of an answer about a document of ``size`` bytes."""
    return min(_MOST, _LEAST + _TIMES * size)


def request(asked: ReadRequest) -> bytes:
    """A request's frame, without the document."""
    return _framed(asdict(asked))


def read_request(head: bytes) -> ReadRequest:
    """A request from its head. Raises ``ValueError``."""
    return _adapter(ReadRequest).validate_json(head)  # type: ignore[no-any-return]


def answer(found: Answer, size: int) -> list[bytes]:
    """The frame of an answer about a document of ``size`` bytes, in pieces. Too large an answer becomes an error."""
    if isinstance(found, MainspringError):
        return [_framed(asdict(ReadReply(failed=_failed(found))))]
    if isinstance(found, PagePicture):
        head = DrawnPage(found.width, found.height, found.pages, found.marked)
        return [_framed(asdict(ReadReply(images=(len(found.png),), drawn=head))), found.png]
    if len(found.headings) > _MAX_HEADINGS:
        warning = f"it has {len(found.headings)} headings: those after the first {_MAX_HEADINGS} are read as text"
        found = replace(found, headings=found.headings[:_MAX_HEADINGS], warnings=(*found.warnings, warning))
    images = [figure.image for figure in found.figures]
    plain = replace(found, text="", figures=tuple(replace(figure, image=b"") for figure in found.figures))
    text = found.text.encode("utf-8", "replace")
    told = ReadReply(plain, images=tuple(map(len, images)), text=len(text))
    frame = _framed(told)
    if len(frame) + len(text) > most(size) or sum(told.images) > _MAX_IMAGES or _crowded(frame[LENGTH.size :]):
        problem = "it holds more text and tables than a document of its size has"
        return answer(UnreadableDocument(problem, remedy="Split it into several files"), size)
    return [frame, text, *images]


def told(head: bytes) -> ReadReply:
    """An answer from its head. Raises ``ValueError`` if it is not an answer."""
    if _crowded(head):
        raise ValueError("the answer holds too many values")
    found: ReadReply = _adapter(ReadReply).validate_json(head)
    count = 1 if found.drawn is not None else 0 if found.parsed is None else len(found.parsed.figures)
    most = MAX_PICTURE_BYTES if found.drawn is not None else _MAX_IMAGES
    if min(found.images, default=0) < 0 or sum(found.images) > most or len(found.images) != count:
        raise ValueError("the answer announces pictures that it cannot have")
    return found


def document(found: ReadReply, behind: bytes) -> Answer:
    """The content of an answer, and of the text and pictures after it. Raises ``ValueError``."""
    if found.failed is not None:
        kind = _ERRORS.get(found.failed.error, UnreadableDocument)
        return kind(found.failed.message, remedy=found.failed.remedy)
    if (page := found.drawn) is not None:
        if not behind.startswith(PNG):
            raise ValueError("the answer's picture is none")
        return PagePicture(behind, page.width, page.height, page.pages, page.marked)
    if found.parsed is None:
        raise ValueError("the answer is empty")
    text, at = behind[: found.text].decode(), found.text
    if not found.images:
        return replace(found.parsed, text=text)
    figures = []
    for figure, length in zip(found.parsed.figures, found.images, strict=True):
        figures.append(replace(figure, image=behind[at : at + length]))
        at += length
    return replace(found.parsed, text=text, figures=tuple(figures))


def _failed(error: MainspringError) -> ReadFailure:
    return ReadFailure(type(error).__name__, _whole(error.message), _whole(error.remedy))


def _framed(head: Any) -> bytes:
    try:
        encoded = orjson.dumps(head, default=_text)
    except TypeError:
        # Halves of surrogate pairs, which readers of broken files let through.
        encoded = orjson.dumps(_scrubbed(head), default=_text)
    return LENGTH.pack(len(encoded)) + encoded


def _text(value: Any) -> str:
    if value == b"":
        return ""
    raise TypeError


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, dict):
        return {_scrubbed(name): _scrubbed(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_scrubbed(inner) for inner in value]
    return _scrubbed(asdict(value)) if hasattr(value, "__dataclass_fields__") else value


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _crowded(head: bytes) -> bool:
    try:
        structure.check(head, values=_MAX_VALUES)
    except MainspringError:
        return True
    return False


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
