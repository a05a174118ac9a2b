"""``mainspring chat``: a conversation with documents or a chat model, line by line."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from mainspring.cli.ask.ask import with_larger
from mainspring.cli.ask.target import AskedMode, Mode, Target, place
from mainspring.core.errors import MainspringError
from mainspring.core.settings import Settings, load
from mainspring.terminal import complete, show
from mainspring.terminal.emphasis import Strong
from mainspring.terminal.pulling import without_chat

_END = frozenset({"exit", "quit", "/exit", "/quit"})


def chat(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A collection, an application or a chat model", autocompletion=complete.answering
        ),
    ] = "document-qa",
    group: Annotated[
        list[str] | None,
        typer.Option(help="Without a server: a group to act as a member of; can be repeated"),
    ] = None,
    mode: AskedMode = Mode.AUTO,
) -> None:
    """Talk with documents or a chat model: each line is a question, and the answer streams.

    With MAINSPRING_API_KEY set, the running server answers; otherwise this machine's data directory is opened.
    `exit`, Ctrl-D or the end of piped input ends it. The exit status is 1 if no question could be answered and 3 if
    only some could.
    """
    settings = _for(mode.settings(load(context.obj).settings), model)
    asked, failed = asyncio.run(_talk(context, settings, model, mode, group or ()))
    if failed:
        raise typer.Exit(show.PARTLY if failed < asked else show.FAILED)


def _for(settings: Settings, model: str) -> Settings:
    """The chat models that may write, and the one to talk with."""
    settings = with_larger(settings)
    kept = without_chat(settings)
    names = tuple(name for name in settings.models.chat if name == model or name in kept.models.chat)
    return settings.model_copy(update={"models": settings.models.model_copy(update={"chat": names})})


async def _talk(
    context: typer.Context, settings: Settings, model: str, mode: Mode, groups: list[str] | tuple[()]
) -> tuple[int, int]:
    """How many questions were asked, and how many of them failed."""
    typed = sys.stdin.isatty()
    turns: list[dict[str, str]] = []
    asked = failed = 0
    async with place(context, settings, groups) as where:
        if typed:
            print(f"Talking with {model}. Ctrl-D or `exit` ends it.")
        while (line := await asyncio.to_thread(_line, typed)) is not None:
            asked += 1
            turns.append({"role": "user", "content": line})
            try:
                turns.append({"role": "assistant", "content": await _turn(where, model, turns, mode)})
            except MainspringError as error:
                show.failure(error)
                failed += 1
                turns.pop()
    return asked, failed


async def _turn(where: Target, model: str, turns: list[dict[str, str]], mode: Mode) -> str:
    strong = Strong(bold=sys.stdout.isatty())
    found = await where.answer(model, turns, lambda text: _tell(strong.add(show.printable(text))), mode)
    print(strong.rest())
    show.answer(found, told=True)
    print()
    return str(found["answer"])


def _tell(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _line(typed: bool) -> str | None:
    """The next question, None at the end. A piped question is printed before its answer."""
    while True:
        if typed:
            sys.stdout.write("> ")
            sys.stdout.flush()
        line = sys.stdin.readline()
        if not line or line.strip().lower() in _END:
            return None
        if line.strip():
            if not typed:
                print(show.printable(f"> {line.strip()}"))
            return line.strip()
