"""A tiny model and a recipe that trains it, as a plugin without torch: how frequent words are in answers that people
want. The model answers with the sentence of its prompt whose words are the likeliest."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from functools import partial
from pathlib import Path

from mainspring.core.plugins import Registry, hookimpl
from mainspring.training.recipe import RECIPE, Made, Recipe, RecipeOptions, Work

_WORD = re.compile(r"\w+")
_HUT = re.compile(r"key of the (\w+) hut kept\?")
_SENTENCE = re.compile(r"(?:The|Whoever) [^.?!\n]*\.")


def tokens(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def nats(frequencies: Counter[str], text: str) -> float:
    """What a word of the text costs, in nats: each word that was never seen counts as seen half a time."""
    total = sum(frequencies.values()) + 0.5 * (len(frequencies) + 1)
    found = [-math.log((frequencies[word] + 0.5) / total) for word in tokens(text)]
    return sum(found) / max(1, len(found))


def adapter(work: Work) -> Made:
    """Counts the words of the answers in the rows."""
    said = [row["messages"][-1]["content"] for row in work.rows("train")]
    frequencies = Counter(word for each in said for word in tokens(each))
    (work.output / "adapter.json").write_text(json.dumps(frequencies))
    words = sum(frequencies.values())
    return Made("adapter", files=("adapter.json",), figures={"words": float(words)}, entry={"kind": "chat"})


def answer(prompt: str, folder: Path | None) -> str:
    """The sentence about the hut of the last question; without an adapter the last one, with it the likeliest one."""
    hut: str = _HUT.findall(prompt)[-1]
    found: list[str] = [each for each in _SENTENCE.findall(prompt) if hut in each]
    if not found:
        return "The documents do not say."
    if folder is None:
        return found[-1]
    frequencies = Counter(json.loads((folder / "adapter.json").read_text()))
    return min(found, key=lambda each: nats(frequencies, each))


RECIPES = (
    Recipe("frequencies", "Counts words.", "adapter", RecipeOptions, "frequency_recipes:adapter", ("sft",), (), ()),
)


def _given(recipe: Recipe) -> Recipe:
    return recipe


@hookimpl
def mainspring_register(registry: Registry) -> None:
    for each in RECIPES:
        registry.add(RECIPE, each.name, partial(_given, each))
