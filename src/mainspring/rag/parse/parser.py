"""Parsing documents in a child process with limits on CPU time and memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from mainspring.core.errors import MainspringError, ModelError, UnreadableDocument
from mainspring.core.settings import RagSettings, Settings
from mainspring.rag.parse import frames, kinds
from mainspring.rag.parse.frames import ReadRequest
from mainspring.rag.parse.parsed import MAX_QUOTE, PagePicture, Parsed
from mainspring.rag.parse.reading_options import Options
from mainspring.rag.workers import Workers

_MAX_NAME = 1024
# A document with text must not run out of time over its pictures.
_PICTURES_SHARE = 0.3
# A person waits for a page.
_DRAWING_S = 10.0


class Parser(Workers):
    """Parses documents; several at a time, each in a worker of its own. Belongs to one event loop."""

    def __init__(self, settings: RagSettings, layout_model: str = "") -> None:
        super().__init__("mainspring.rag.parse.child", settings.parse_memory_mb)
        self._settings = settings
        self._layout_model = layout_model

    async def parse(self, source: Path | bytes, name: str = "", *, images: bool = False) -> Parsed:
        """Read a document; ``name`` is used in errors and for the file extension. ``images`` brings the pictures of a
        PDF's figures along.

        Raises ``UnreadableDocument`` (empty, encrypted, damaged, too large, of an unknown kind, out of time or
        memory) or ``MissingExtra``; the remedy says what to do.
        """
        if isinstance(source, Path):
            name = name or source.name
            data = await asyncio.to_thread(load, source)
        else:
            data = source
        if len(data) > kinds.MAX_BYTES:
            raise kinds.too_large(name, len(data))
        answer = await self._answer(data, self._asked(data, name, images))
        if not isinstance(answer, Parsed):
            raise _broken(name)
        if not answer.text.strip():
            raise UnreadableDocument(f"{name} has no text", remedy="Check that it is the right file")
        return answer

    async def draw(self, data: bytes, name: str, page: int, quote: str = "") -> PagePicture:
        """Page ``page`` (from 1) of a PDF with ``quote`` marked. Raises ``UnreadableDocument`` like ``parse``, also for
        a file that is no PDF and a page that does not exist."""
        asked = self._asked(data, name, images=False)
        seconds = min(_DRAWING_S, self._settings.parse_timeout_s)
        asked = replace(asked, page=page, quote=quote[:MAX_QUOTE], timeout_s=seconds)
        answer = await self._answer(data, asked)
        if not isinstance(answer, PagePicture):
            raise _broken(name)
        return answer

    def _asked(self, data: bytes, name: str, images: bool) -> ReadRequest:
        options = Options(
            self._settings.ocr,
            self._settings.parser,
            self._settings.parse_max_pages,
            self._layout_model,
            _PICTURES_SHARE * self._settings.parse_timeout_s,
            images,
        )
        name = name.encode("utf-8", "replace").decode()[:_MAX_NAME]
        return ReadRequest(name, len(data), options, self._settings.parse_timeout_s)

    async def _answer(self, data: bytes, asked: ReadRequest) -> Parsed | PagePicture:
        async def hear(answers: asyncio.StreamReader) -> frames.Answer:
            (length,) = frames.LENGTH.unpack(await answers.readexactly(frames.LENGTH.size))
            if length > frames.most(len(data)):
                raise ConnectionError("the parser sent more than a document")
            head = await answers.readexactly(length)
            told = await asyncio.to_thread(frames.told, head)
            if told.text > frames.most(len(data)):
                raise ConnectionError("the parser sent more than a document")
            behind = await answers.readexactly(told.text + sum(told.images))
            return await asyncio.to_thread(frames.document, told, behind)

        answer = await self.ask(asked.name, asked.timeout_s, (frames.request(asked), data), hear)
        if isinstance(answer, MainspringError):
            raise answer
        return answer


def _broken(name: str) -> UnreadableDocument:
    return UnreadableDocument(f"{name} was not read as was asked", remedy="Save the document again")


def layout_model(settings: Settings) -> str:
    """The path of the layout model's graph; empty unless ``rag.parser`` asks for it.

    Raises ``ModelNotPulled`` or ``ModelError``, also if ``models.layout`` names a model of another kind.
    """
    if settings.rag.parser != "layout-model":
        return ""
    from mainspring.engines.catalogue.pull import Puller

    pulled = Puller(settings).local(settings.models.layout)
    if pulled.entry.kind != "layout":
        raise ModelError(
            f"{pulled.entry.name} is a {pulled.entry.kind} model, not a layout model", remedy="Set models.layout"
        )
    return str(pulled.files["graph"])


def load(path: Path) -> bytes:
    """The bytes of a file. Raises ``UnreadableDocument`` when it is too large or cannot be read."""
    try:
        size = path.stat().st_size
        if size > kinds.MAX_BYTES:
            raise kinds.too_large(path.name, size)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableDocument(f"{path.name} cannot be read: {error.strerror}", remedy="Check it") from None
