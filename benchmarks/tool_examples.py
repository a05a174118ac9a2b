"""What examples are worth to tool choice: turns of customers in dialogues of orders, with 0, 8 and 25 examples a tool.

    MAINSPRING_DATA=... python benchmarks/tool_examples.py [--limit 400]

Taskmaster-4 names the call that each turn of a customer leads to, or none. The five tools that begin a turn are
described in a sentence each; examples are drawn from the part 00 and reported is the part 06, at which nobody looked.
No model is asked: what counts is which tool is chosen.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figure, data_sets, report, skip
from _tool_sets import Bare
from mainspring.agents.choice.base import Turn
from mainspring.agents.choice.chooser import ToolChooser
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Message, Tool, ToolCall
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.features.evaluate.answers import wilson

TOOLS = {
    "get_menu_items": "Find the drink or food on the menu that the customer orders or asks about",
    "finish_order": "The customer confirms that the order is right and complete",
    "show_menu": "Show the menu: which drinks, teas, milks or sweeteners there are",
    "get_addons": "List the extras and options of an item, such as sweeteners, syrups and decaf",
    "update_order_item": "Change an item of the order: add a syrup, a size, or another milk",
}
COUNTS = (0, 8, 25)


@dataclass(frozen=True, slots=True)
class Said:
    """A turn of a customer, what the assistant said before it, and the call that it leads to (None: none)."""

    before: str
    text: str
    call: str | None


class NoModel:
    """Steps whose model writes no arguments."""

    async def ask(self, request: ChatRequest) -> Message:
        name = request.tools[0].name if request.tools else ""
        return Message("assistant", "", tool_calls=(ToolCall("", name, "{}"),))

    async def value(self, name: str, asked: Any, find: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ARG002
        return await find()


def turns(folder: Path, part: str) -> Iterator[Said]:
    """The turns of customers in one part."""
    with gzip.open(folder / f"data_{part}.json.gz", "rt", encoding="utf-8") as file:
        talks = json.load(file)
    for talk in talks:
        before = ""
        for each in talk["utterances"]:
            calls = [note["value"] for note in each["annotations"] if note["name"] == "api_call"]
            if each["speaker"] != "user":
                before = each["text"]
            elif not calls or calls[0] in TOOLS:
                yield Said(before, each["text"], calls[0] if calls else None)


def tools(known: dict[str | None, list[str]], count: int, draw: random.Random) -> list[Bare]:
    """The tools with ``count`` examples each."""
    made = []
    for name, description in TOOLS.items():
        schema = {"type": "object", "properties": {"item": {"type": "string", "description": "what it is about"}}}
        texts = sorted(set(known[name]))
        made.append(Bare(Tool(name, description, schema), tuple(draw.sample(texts, min(count, len(texts))))))
    return made


async def measured(limit: int) -> dict[str, Figure]:
    """The share of turns whose tool is the right one, for each number of examples."""
    folder = data_sets() / "agents/support_dialogue/taskmaster4/data"
    known: dict[str | None, list[str]] = {}
    for each in turns(folder, "00"):
        known.setdefault(each.call, []).append(each.text)
    asked = list(turns(folder, "06"))
    asked = random.Random(2).sample(asked, min(limit, len(asked)))
    embedder = OpenVinoEmbedder(Puller(load().settings).local(load().settings.models.embedding))
    chooser = ToolChooser(embedder)
    made = {}
    for count in COUNTS:
        offered = tools(known, count, random.Random(5))
        right = 0
        for each in asked:
            before = (Message("user", "Hello"), Message("assistant", each.before)) if each.before else ()
            choice = await chooser.choose(Turn((*before, Message("user", each.text)), offered), NoModel())
            right += (choice.calls[0].name if choice.calls else None) == each.call
        found = wilson(right, len(asked))
        label = f"right tool or rightly none, {count} examples a tool"
        made[label] = Figure(found.value, "", "higher", against=f"{found.text()}; {len(asked)} turns of Taskmaster-4")
    await embedder.close()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limit", type=int, default=400)
    try:
        made = asyncio.run(measured(parser.parse_args().limit))
    except ModelNotPulled as error:
        skip(str(error))
    report("tool_examples", made)


if __name__ == "__main__":
    main()
