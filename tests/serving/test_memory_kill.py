"""kill -9 in the middle of a conversation: its acknowledged turns are there once, and its memory is made again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mainspring.serving.memory import notes
from mainspring.serving.memory.layer import stored_name
from tests.killed import run_and_kill
from tests.serving.house import visitor
from tests.serving.talk import talk

# A turn is printed after its answer has ended: it is acknowledged, and its memory is being made.
_CHILD = """
import asyncio, sys
from pathlib import Path
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Message
from tests.serving.house import visitor
from tests.serving.talk import talk

async def main():
    async with talk(Path(sys.argv[1]), strategy="hierarchical", max_tokens=160) as home:
        for n in range(10_000):
            said = (Message("user", f"My number {sys.argv[2]}-{n} is {n} and my town is Trondheim."),)
            await collect(await home.ring.respond(ChatRequest("chat", said, session_id="s"), visitor()))
            print(f"{sys.argv[2]}-{n}", flush=True)

asyncio.run(main())
"""


def said_until_killed(home: Path, round_: int, turns: int) -> list[str]:
    return run_and_kill(_CHILD, str(home), str(round_), after=turns, within_s=0.05)


@pytest.mark.parametrize("turns", [20])
async def test_a_killed_conversation_goes_on(tmp_path: Path, turns: int) -> None:
    rounds = [said_until_killed(tmp_path, round_, turns + random.randrange(5)) for round_ in range(2)]
    said = [number for told in rounds for number in told]
    async with talk(tmp_path, strategy="hierarchical", max_tokens=160) as home:
        name = stored_name(visitor().principal, "s")
        kept = await home.stores.sessions.all_messages("acme", name)
        numbers = [each.message.content.split()[2] for each in kept if each.message.role == "user"]
        assert len(set(numbers)) == len(numbers)
        # One turn a round may be settled and not yet acknowledged.
        assert [each for each in numbers if each in said] == said
        assert len(numbers) <= len(said) + 2
        summary = (await home.stores.sessions.read("acme", name, limit=1, summary=True)).summary
        if summary is not None:
            turns_kept = list(dict.fromkeys(each.turn for each in kept))
            assert turns_kept.index(summary.upto) + 1 == summary.turns
            assert {each.turn for each in notes.load(summary.notes).notes} <= set(turns_kept)
        await home.say(f"What was my number {numbers[0]}?")
        assert (await home.stores.memory.unembedded("acme", name, "words", 1)).said == ()
        after = (await home.stores.sessions.read("acme", name, limit=1, summary=True)).summary
        assert after is not None
        assert after.turns >= len(numbers) - 10
        assert f"number {numbers[0]} is" in home.prompt
