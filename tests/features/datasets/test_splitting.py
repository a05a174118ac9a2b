"""Near-duplicates are on one side of a split, however they came in."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.types import Message
from mainspring.evaluation.examples import Example
from tests.features.experiments.world import Lab, lab

_WORDS = (
    "invoice parcel contract lease tenant driver garden battery window passport ticket refund holiday pension salary "
    "engine bridge museum recipe planet violin surgeon harbour village castle library teacher camera mountain river "
    "bakery printer helmet ladder blanket candle mirror basket saddle anchor compass lantern kettle pillow"
).split()
_ASKED = (
    "what does the {} cost when the {} is delivered to the {} before the {} has been paid for by the {}",
    "who has to repair the {} if the {} was damaged by the {} while the {} was at the {}",
    "how long may a {} be kept in the {} after the {} has been returned with its {} and {}",
    "where can I find the {} that belongs to the {} of the old {} behind the {} next to the {}",
)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        yield opened


def originals(count: int, draw: random.Random) -> list[str]:
    return [draw.choice(_ASKED).format(*draw.sample(_WORDS, 5)) for _ in range(count)]


def disguised(text: str, number: int, draw: random.Random) -> str:
    """A near-duplicate: other case and punctuation, a word more, a word in place of another, or another order."""
    words = text.split()
    match number % 4:
        case 0:
            return text.upper().replace(" ", "  ") + " ?!"
        case 1:
            words.insert(draw.randrange(len(words)), draw.choice(["please", "really", "actually"]))
        case 2:
            words[draw.choice([0, len(words) - 1])] = draw.choice(["item", "thing", "object"])
        case _:
            cut = draw.randrange(3, len(words) - 3)
            words = words[cut:] + words[:cut]
    return " ".join(words)


async def test_of_a_thousand_planted_near_duplicates_none_straddles(home: Lab) -> None:
    draw = random.Random(7)
    texts = originals(1000, draw)
    planted = [disguised(text, number, draw) for number, text in enumerate(texts)]

    def example(name: str, text: str) -> Example:
        return Example(name, (Message("system", "Answer in one sentence, politely."), Message("user", text)))

    # Half of the copies are there when it is split, and the others come later.
    first = [example(f"o{number}", text) for number, text in enumerate(texts)]
    first += [example(f"c{number}", text) for number, text in enumerate(planted[:500])]
    await home.data.add_examples(home.who, "asked", first)
    assert await home.data.split(home.who, "asked", 0.8, 0.1, 0.1) == 2
    before = {each.id: each.split for each in await home.data.examples(home.who, "asked")}
    await home.data.add_examples(
        home.who, "asked", [example(f"c{number}", planted[number]) for number in range(500, 1000)]
    )
    sides = {each.id: each.split for each in await home.data.examples(home.who, "asked")}
    straddling = [number for number in range(1000) if sides[f"o{number}"] != sides[f"c{number}"]]
    assert straddling == []
    shares = [sum(side == name for side in sides.values()) / 2000 for name in ("train", "validation", "test")]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.02)
    moved = [name for name, side in before.items() if sides[name] != side]
    assert len(moved) <= 3
    assert (await home.data.examples(home.who, "asked", 1))[0].split == "test"


async def test_examples_of_one_group_are_on_one_side_and_shares_add_up(home: Lab) -> None:
    draw = random.Random(1)
    made = [
        Example(f"e{number}", (Message("user", text),), group=f"document {number % 20}")
        for number, text in enumerate(originals(100, draw))
    ]
    await home.data.add_examples(home.who, "grouped", made)
    await home.data.split(home.who, "grouped", 0.5, 0.0, 0.5, seed=3)
    sides: dict[str, set[str]] = {}
    for each in await home.data.examples(home.who, "grouped"):
        sides.setdefault(each.group, set()).add(each.split)
    assert all(len(each) == 1 for each in sides.values())
    assert set.union(*sides.values()) == {"train", "test"}
    with pytest.raises(Exception, match="add up to 1"):
        await home.data.split(home.who, "grouped", 0.5, 0.0, 0.6)
