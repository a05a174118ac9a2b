"""Completes code: context, model, end, check. What the model writes beyond the end is not waited for."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mainspring.core.errors import UnknownModel
from mainspring.core.types import CompletionRequest, Context, Finish, Responder, Text, Usage
from mainspring.features.code.complete.checks import CheckedCompletion, check
from mainspring.features.code.complete.choice import Choice, Chosen
from mainspring.features.code.complete.completion_options import CompletionOptions
from mainspring.features.code.complete.ending import Ending
from mainspring.features.code.complete.place import Place
from mainspring.features.code.complete.prompt import Prompt, prompt
from mainspring.features.code.complete.turns import Remembered, Turns
from mainspring.features.code.index import admission
from mainspring.features.code.index.workspaces import Workspaces
from mainspring.features.code.settings import CodeSettings
from mainspring.features.code.snippets.gather import EditorText, gather
from mainspring.features.code.snippets.snippet import CHARACTERS_PER_TOKEN, Snippet, chosen
from mainspring.features.code.syntax import trees
from mainspring.telemetry.tracing import Tracing, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Completion:
    """A completion and how it came about. ``milliseconds`` are those of its steps; ``cached``: it is the rest of an
    earlier one."""

    text: str = ""
    model: str = ""
    reason: str = ""
    reach: str = ""
    parses: bool | None = None
    changed: str = ""
    cached: bool = False
    fills: bool = True
    snippets: tuple[Snippet, ...] = ()
    usage: Usage = field(default_factory=Usage)
    milliseconds: dict[str, float] = field(default_factory=dict)


class Completer:
    """Completes by the models of ``chat`` (within their call rings). ``redact`` is how they may read what others
    wrote."""

    def __init__(
        self,
        settings: CodeSettings,
        workspaces: Workspaces,
        choice: Choice,
        chat: Mapping[str, Responder],
        tracing: Tracing | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._settings = settings
        self._workspaces = workspaces
        self._choice = choice
        self._chat = chat
        self._tracing = tracing
        self._redact = redact
        self._turns = Turns()
        self._remembered = Remembered(settings.remembered_s)

    async def complete(self, request: CompletionRequest, context: Context) -> Completion:
        """Complete ``request.prompt`` up to ``request.suffix``.

        Raises ``InvalidRequest`` naming an option, ``Conflict`` when a newer request of the same editor has come,
        ``NotFound`` for a workspace, and what the model raises.
        """
        asked = CompletionOptions.of(request.options)
        before, after = asked.head + request.prompt, request.suffix + asked.tail
        place = Place(before, after, trees.language(asked.path, asked.language), asked.path)
        person = context.principal.tenant, context.principal.person
        key = Remembered.key(*person, asked.workspace, asked.model, asked.path, after)
        rest = self._remembered.find(key, before)
        if rest is not None:
            return Completion(rest, reach=place.reach, cached=True)
        work = self._new(place, asked, request, context)
        found = await (self._turns.take((*person, asked.editor), work) if asked.editor else work)
        self._remembered.keep(key, before, found.text)
        return found

    async def _new(
        self, place: Place, asked: CompletionOptions, request: CompletionRequest, context: Context
    ) -> Completion:
        wait = self._settings.debounce_ms if asked.debounce_ms is None else asked.debounce_ms
        if wait:
            await asyncio.sleep(wait / 1000)
        completion = Completion(reach=place.reach)
        with self._step("code context", "context", completion, context):
            snippets = await self._snippets(place, asked, context)
            near = len(request.prompt) + len(request.suffix)
            size = sum(each.tokens for each in snippets) + int(near / CHARACTERS_PER_TOKEN)
            taken = self._choice.of(place, size, asked.model)
            read = dataclasses.replace(place, before=request.prompt, after=request.suffix)
            made = prompt(read, snippets, taken.fim, self._settings.prompt_tokens, asked.workspace)
        completion.model, completion.reason = taken.model, taken.reason
        completion.snippets, completion.fills = made.snippets, made.fills
        with self._step("code model", "model", completion, context) as under:
            written, ended = await self._written(place, taken, made, request, completion, under)
        with self._step("code check", "check", completion, context):
            checked = check(place, written, ended=ended) if asked.check else CheckedCompletion(written, None)
        completion.text, completion.parses, completion.changed = checked.text, checked.parses, checked.changed
        return completion

    async def _snippets(self, place: Place, asked: CompletionOptions, context: Context) -> list[Snippet]:
        budget = self._settings.context_tokens if asked.context_tokens is None else asked.context_tokens
        if not budget:
            return []
        catalogue = None
        if asked.workspace:
            catalogue = await self._workspaces.catalogue(context.principal, asked.workspace)
        # What is indexed has no secrets; what the editor sends beside it is to have none either.
        opened = [EditorText(each.path, shown) for each in asked.open_files if (shown := _shown(each.path, each.text))]
        edits = [EditorText(each.path, shown) for each in asked.recent_edits if (shown := _shown(each.path, each.text))]
        found = chosen(gather(place, catalogue, opened, edits), budget)
        return [dataclasses.replace(each, text=self._redact(each.text)) for each in found]

    async def _written(
        self,
        place: Place,
        taken: Chosen,
        made: Prompt,
        request: CompletionRequest,
        completion: Completion,
        context: Context,
    ) -> tuple[str, bool]:
        """What the model writes up to the end of the completion, and whether it or the block ended."""
        model = self._chat.get(taken.model)
        if model is None:
            remedy = "code.model, code.larger_model and the option model name chat models that are served"
            raise UnknownModel(f"no chat model {taken.model!r} is served", remedy=remedy, param="options.model")
        sampling = request.sampling
        stop = ("\n",) if place.reach == "line" else ()
        sampling = dataclasses.replace(
            sampling,
            max_tokens=sampling.max_tokens or self._settings.completion_tokens,
            temperature=0.0 if sampling.temperature is None else sampling.temperature,
            stop=(*sampling.stop, *stop),
        )
        inner = CompletionRequest(taken.model, made.text, sampling, request.user, store=request.store)
        began = time.perf_counter()
        response = await model.respond(inner, context.nested())
        completion.milliseconds["first_token"] = round((time.perf_counter() - began) * 1e3, 2)
        ending, text, end, ended = Ending(place), "", None, False
        async with response:
            async for event in response:
                if isinstance(event, Text) and end is None:
                    text += event.text
                    end = ending.push(event.text)
                    if end is not None:
                        # Closing the stream frees the engine's slot.
                        break
                elif isinstance(event, Usage):
                    completion.usage = completion.usage + event
                elif isinstance(event, Finish):
                    ended = event.reason == "stop"
        if end is not None:
            return text[:end], True
        return text[: ending.whole], ended

    @contextmanager
    def _step(self, name: str, short: str, completion: Completion, context: Context) -> Iterator[Context]:
        began = time.perf_counter()
        with span_of(self._tracing, name, context) as span:
            yield span.context
        completion.milliseconds[short] = round((time.perf_counter() - began) * 1e3, 2)


def _shown(path: str, text: str) -> str:
    return "" if admission.refused_by_name(path) else admission.masked(text)[0]
