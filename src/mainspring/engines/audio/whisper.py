"""Whisper models in a process of their own, by faster-whisper (the extra ``audio``)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from mainspring.core.errors import EngineDied, InvalidRequest, MissingExtra, ModelError, Overloaded, Unsupported
from mainspring.core.settings import Settings
from mainspring.core.settings.audio import AudioSettings
from mainspring.engines.audio.base import Heard, Recording, SpokenSegment, SpokenWord
from mainspring.engines.audio.frames import LENGTH, MOST, packed

_MOST_THREADS = 4


class FasterWhisper:
    """One process, which is started with the first recording and hears one at a time. Belongs to one event loop."""

    def __init__(self, settings: Settings, audio: AudioSettings) -> None:
        self._settings = settings
        self._audio = audio
        self._process: asyncio.subprocess.Process | None = None
        self._multilingual = False
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def name(self) -> str:
        return Path(self._audio.model).name

    async def transcribe(self, wanted: Recording) -> AsyncGenerator[Heard | SpokenSegment, None]:
        """See ``Transcriber``."""
        if self._waiting > self._audio.waiting:
            raise Overloaded("too many recordings wait to be transcribed", remedy="Try again later", retry_after=10.0)
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        whole = False
        try:
            async with asyncio.timeout(self._audio.timeout_s):
                process = await self._started()
                self._check(wanted)
            asked = {"bytes": len(wanted.data), "language": wanted.language, "translate": wanted.translate}
            asked |= {"prompt": wanted.prompt, "temperature": wanted.temperature}
            asked |= {"words": wanted.words, "quiet": wanted.quiet}
            async with contextlib.aclosing(self._heard(process, packed(asked), wanted.data)) as coming:
                async for each in coming:
                    yield each
            whole = True
        except (InvalidRequest, Unsupported):
            # The process has said so, or was not asked: it can hear the next one.
            whole = True
            raise
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError) as error:
            slow = isinstance(error, TimeoutError)
            problem = "it took too long" if slow else "the transcription process ended"
            remedy = "Send a shorter recording, or raise audio.timeout_s and audio.memory_mb"
            raise EngineDied(f"the recording was not transcribed: {problem}", remedy=remedy) from None
        finally:
            if not whole:
                # What it would say next is about a recording that nobody waits for.
                await self._end()
            self._turn.release()

    async def close(self) -> None:
        await self._end()

    async def _heard(
        self, process: asyncio.subprocess.Process, request: bytes, data: bytes
    ) -> AsyncGenerator[Heard | SpokenSegment, None]:
        assert process.stdin is not None
        process.stdin.write(request)
        process.stdin.write(data)
        async with asyncio.timeout(self._audio.timeout_s):
            await process.stdin.drain()
        while True:
            async with asyncio.timeout(self._audio.timeout_s):
                message = await _message(process)
            if "unreadable" in message:
                problem = f"the file cannot be transcribed: {message['unreadable']}"
                raise InvalidRequest(problem, remedy="Send it as WAV, MP3, FLAC, Ogg, M4A or WebM", param="file")
            if "end" in message:
                return
            if "segment" in message:
                words = [SpokenWord(**word) for word in message["segment"].pop("words")]
                yield SpokenSegment(**message["segment"], words=words)
            else:
                yield Heard(message["language"], message["duration"])

    def _check(self, wanted: Recording) -> None:
        if self._multilingual:
            return
        if wanted.translate:
            raise Unsupported(
                f"{self.name} only knows English", remedy="Set audio.model to a multilingual model", param="model"
            )
        if wanted.language not in ("", "en"):
            remedy = "Set audio.model to a model of several languages"
            raise Unsupported(f"{self.name} only knows English", remedy=remedy, param="language")

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        if find_spec("faster_whisper") is None:
            raise MissingExtra("faster-whisper is not installed", remedy="Install mainspring[audio]")
        audio = self._audio
        folder = await asyncio.to_thread(self._folder)
        threads = audio.threads or min(_MOST_THREADS, os.cpu_count() or 1)
        bounds = (audio.memory_mb, threads, audio.max_seconds)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mainspring.engines.audio.child", str(folder), *map(str, bounds)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._multilingual = (await _message(self._process))["multilingual"]
        return self._process

    def _folder(self) -> Path:
        """Raises ``UnknownModel``, ``ModelNotPulled``, ``ModelError``."""
        folder = Path(self._audio.model).expanduser()
        if len(folder.parts) > 1:
            if not (folder / "model.bin").is_file():
                raise ModelError(f"{folder} has no model.bin", remedy="Set audio.model to a model of the catalogue")
            return folder
        from mainspring.engines.catalogue.pull import Puller

        pulled = Puller(self._settings).local(self._audio.model)
        if pulled.entry.kind != "transcriber":
            raise ModelError(
                f"{self._audio.model} is a {pulled.entry.kind} model and cannot transcribe", remedy="Set audio.model"
            )
        return pulled.directory

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _message(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    if length > MOST:
        raise ConnectionError("the process sent more than a segment")
    found: dict[str, Any] = orjson.loads(await process.stdout.readexactly(length))
    return found
