"""Parts that break the contracts of their kinds, each in a few ways."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import sqlalchemy as sa

from mainspring.agents.sandbox.base import CodeResult, SandboxLimits
from mainspring.core.path import collect, replay
from mainspring.core.types import Context, Finish, Request, Responder, Response, Text, Usage
from mainspring.engines.audio.base import Heard, Recording, SpokenSegment
from mainspring.engines.base import Embedded, EngineStream, Generation, Reranked, Reranker
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Score
from mainspring.guards.policy.scanners import Found
from mainspring.rag.chunk.base import Chunk
from mainspring.rag.connect.base import Batch, Source, SyncState
from mainspring.rag.parse.parsed import Heading, Parsed
from mainspring.rag.parse.reading_options import Options
from mainspring.rag.search.listwise import Listwise
from mainspring.rag.triad.live import GivenAnswer, MetricScore
from mainspring.rag.triad.metrics import Triad
from mainspring.rag.websearch.base import FoundPage, WebQuery
from mainspring.stores.sql.database import Sqlite, Work
from mainspring.testing.embedders import WordEmbedder

T = TypeVar("T")


class Unmetered(ScriptedEngine):
    """Tells no usage, and minds neither stop strings nor deadlines."""

    async def generate(self, generation: Generation) -> EngineStream:
        sampling = dataclasses.replace(generation.sampling, stop=())
        stream = await super().generate(dataclasses.replace(generation, sampling=sampling, timeout=None))
        return self._without(stream)

    async def _without(self, stream: EngineStream) -> EngineStream:
        async for event in stream:
            if not isinstance(event, Usage):
                yield event


class Unequal(WordEmbedder):
    """Vectors of any length, of which queries have others than passages. Nothing is cut."""

    async def embed(self, texts: Sequence[str], kind: Any = "passage") -> Embedded:
        found = await super().embed(texts, kind)
        return Embedded(found.vectors[:, ::-1] * (-2 if kind == "query" else 2), found.tokens, 0)


class ByPlace:
    """Scores by the place among the others, from the first down, in double precision."""

    name, fingerprint = "by-place", ""

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        return Reranked(np.arange(len(passages), 0, -1, dtype=np.float64), 1)

    async def close(self) -> None: ...


class Unpaid(Listwise):
    """Asks the model for no request in particular."""

    def within(self, context: Context) -> Reranker:
        return self


class Worn(Listwise):
    """Asks about nothing, too, and fails with its model."""

    async def order(self, query: str, passages: Sequence[str], context: Context) -> Reranked:
        answer = await collect(await self._responder.respond(cast(Any, None), context))
        return Reranked(np.full(len(passages), float(len(answer.text)), np.float32), 0)


class Careless:
    """Reads anything as text with a heading that is not there."""

    suffixes, content_types = frozenset({".TXT"}), frozenset({"text"})

    def read(self, data: bytes, name: str, options: Options) -> Parsed:
        return Parsed(data.decode("utf-8") + "\r\0", headings=(Heading(1, "Tides", 0, 3),), kind="")


class FirstWords:
    """One chunk of the first words, whatever there is."""

    name = "first-words"

    async def chunk(self, parsed: Parsed, *, name: str = "", title: str = "") -> list[Chunk]:
        return [Chunk(0, min(len(parsed.text), 40_000), 7, title, 1, parsed.text[:40_000])]


class Repeats:
    """A connector that names each document twice, and forgets none."""

    kind, location = "repeats", "here"

    def owns(self, key: str) -> bool:
        return key == "a"

    async def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        mark = "1" if not seen.marks else "2"
        yield Batch([Source("a", "a", lambda: b"a", mark=mark), Source("a", "a", lambda: b"a", mark=mark)])


class Trusting:
    """Trusts the one page that it finds, wherever that is."""

    async def search(self, wanted: WebQuery) -> Sequence[FoundPage]:
        if len(wanted.text) > 100:
            raise ValueError("too long")
        return [FoundPage("", "https://a.example/", "", trusted=True)]

    async def aclose(self) -> None: ...


class Telltale:
    """Names what it found by its words, now and then, and finds the harbour."""

    version = ""

    def __init__(self) -> None:
        self.looks = 0

    async def scan(self, text: str, role: str) -> Sequence[Found]:
        self.looks += 1
        return [Found(text, 0)] if "harbour" in text and self.looks % 2 else []


class Losing(Responder):
    """A layer that reads everything before it answers, and loses the end."""

    def __init__(self, inner: Responder) -> None:
        self._inner = inner

    async def respond(self, request: Request, context: Context) -> Response:
        answer = await collect(await self._inner.respond(request, context))
        return Response(answer.head, replay([Text(answer.text)]))

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return "losing"


class Boundless:
    """Scores by length, counted from the last answer on, and is called by its count."""

    version = cast(str, 1)

    def __init__(self) -> None:
        self.name = "0"

    async def score(self, given: GivenAnswer, triad: Triad) -> MetricScore:
        self.name = f"{int(self.name) + 1}"
        return MetricScore(float(self.name) - len(given.answer), supported=1)


class BoundlessScorer(Boundless):
    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score:  # type: ignore[override]
        self.name = f"{int(self.name) + 1}"
        return Score(float(self.name) - len(answered.text))


class Hears:
    """Hears the same in everything, and ends before it begins."""

    name = ""

    async def transcribe(self, wanted: Recording) -> AsyncGenerator[Heard | SpokenSegment, None]:
        yield Heard("", 1.0)
        yield SpokenSegment(0, 0, 4.0, 3.0, "The shop opens at nine.")

    async def close(self) -> None: ...


class Beep:
    """One sound of a second for every text, in two channels if the voice is ``wide``."""

    name = ""

    async def speak(self, text: str, voice: str, speed: float) -> bytes:
        made = io.BytesIO()
        with wave.open(made, "wb") as sound:
            sound.setnchannels(2 if voice == "wide" else 1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(16_000))
        return made.getvalue()

    async def close(self) -> None: ...


class Untagged:
    """Keeps everything for ever, and forgets nothing."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str] = frozenset()) -> None:
        self.values.setdefault(key, value)

    async def delete(self, key: str) -> bool:
        return key in self.values

    async def invalidate(self, tag: str) -> int:
        return 0

    async def count(self, tag: str) -> int:
        return len(self.values)


class Empty:
    """A store of vectors that loses what is written."""

    async def write(self, *_: object, **__: object) -> None: ...

    async def search(self, *_: object, **__: object) -> list[Any]:
        return []

    async def read(self, *_: object, **__: object) -> list[Any]:
        return []


class Halves(Sqlite):
    """Commits what a failing transaction had done, and lets readers write."""

    async def write(self, work: Work[T], *, durable: bool | None = None, frees: bool = False) -> T:
        raised: list[Exception] = []

        def tried(connection: sa.Connection) -> T:
            try:
                return work(connection)
            except ValueError as error:
                raised.append(error)
                return cast(T, None)

        found = await super().write(tried, durable=durable, frees=frees)
        if raised:
            raise raised[0]
        return found

    async def read(self, work: Work[T]) -> T:
        return await super().write(work)


class Endless(Responder):
    """An application whose stream tells neither usage nor its end, each time with another fingerprint."""

    def __init__(self) -> None:
        self._model = ModelResponder(ScriptedEngine(templates=True), model_name="scripted", fingerprint="1")
        self._count = 0

    async def respond(self, request: Request, context: Context) -> Response:
        answer = await self._model.respond(request, context)
        return Response(answer.head, self._texts(answer), on_close=answer.aclose)

    async def _texts(self, answer: Response) -> AsyncGenerator[Any, None]:
        async for event in answer:
            if not isinstance(event, (Usage, Finish)):
                yield event

    def fingerprint(self, request: Request, context: Context) -> str | None:
        self._count += 1
        return str(self._count)


class Bare:
    """No sandbox: the code runs in this process, and what it left is still there at the next run."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Any] = {}

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, limits: SandboxLimits | None = None
    ) -> CodeResult:
        printed, value, error = io.StringIO(), None, ""
        *body, last = code.split("\n")
        with contextlib.chdir(self._folder), contextlib.redirect_stdout(printed):
            try:
                exec("\n".join(body), self._names)
                value = eval(last, self._names)
            except Exception as raised:
                error = str(raised)
        return CodeResult(printed.getvalue(), value, error)

    async def aclose(self) -> None: ...
