"""The loss of compaction: which questions about a long conversation can still be answered from the notes on it.

    MAINSPRING_DATA=... python benchmarks/context_compaction.py

The questions are those of LoCoMo and REALTALK whose answer stands word for word in one of their evidence turns, so that
it can be looked for without a model: before compaction all of them can be answered. Afterwards a question counts if its
answer still stands, as whole words, in what is left of the conversation within so many tokens (four characters each):
"notes" are those of ``mainspring.agents.context``, "latest turns" is a conversation that is cut at its beginning,
"recalled" are the ten turns that the memory finds for the question by words alone. Yes and no answers, and those of
fewer than four characters, are left out: they stand everywhere. Intervals are 95 %, by drawing whole conversations
anew. Writes ``benchmarks/results/context_compaction.json``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

import numpy as np

from _long_talks import LongQuestion, LongTalk, long_talks
from _report import Figure, data_sets, report
from mainspring.agents.context.compact import compacted, grouped
from mainspring.agents.context.ranker import Ranker, Statement
from mainspring.core.types import Message
from mainspring.serving.admit.token_estimate import text_tokens
from mainspring.serving.memory.tokens import estimated
from memory_recall import interval

BUDGETS = (512, 1024, 2048, 4096)
LEAST, BEST = 4, 10
_WORD = re.compile(r"\w+")
Left = Callable[[LongQuestion], str]


def plain(text: str) -> str:
    return " " + " ".join(_WORD.findall(text.lower())) + " "


def asked(talk: LongTalk) -> list[LongQuestion]:
    """The questions whose answer stands in their evidence."""
    return [
        each
        for each in talk.questions
        if len(each.answer) >= LEAST
        and any(plain(each.answer) in plain(talk.turns[place].text) for place in each.evidence)
    ]


def messages_of(talk: LongTalk) -> list[Message]:
    first = talk.turns[0].speaker
    return [Message("user" if each.speaker == first else "assistant", each.text) for each in talk.turns]


async def ways(talk: LongTalk, tokens: int) -> dict[str, Left]:
    """What each way leaves of the conversation for a question."""
    noted = await compacted(grouped(messages_of(talk)), "", estimated, tokens)
    latest, left = [], tokens
    for each in reversed(talk.turns):
        left -= text_tokens(each.text) + 4
        if left < 0:
            break
        latest.append(each.text)
    said = "\n".join(latest)
    return {"notes": lambda _: noted, "latest turns": lambda _: said}


def recalled(talk: LongTalk) -> Left:
    past = [Statement(each.text, str(each.session), each.speaker) for each in talk.turns]
    ranker = Ranker()

    def left(question: LongQuestion) -> str:
        order = np.argsort(-ranker.scores(question.text, None, past), kind="stable")[:BEST]
        return "\n".join(talk.turns[int(place)].text for place in order)

    return left


def share(talks: Sequence[LongTalk], lefts: Sequence[Left]) -> tuple[float, str]:
    kept = [
        [float(plain(each.answer) in plain(left(each))) for each in asked(talk)]
        for talk, left in zip(talks, lefts, strict=True)
    ]
    low, high = interval(kept)
    flat = [value for each in kept for value in each]
    return float(np.mean(flat)), f"{len(flat)} questions, {len(talks)} conversations, {low:.3f} to {high:.3f}"


async def main() -> None:
    figures: dict[str, Figure] = {}
    for name in ("locomo", "realtalk"):
        talks = long_talks(data_sets(), name)
        size = round(float(np.mean([sum(text_tokens(turn.text) for turn in each.turns) for each in talks])))
        figures[f"{name}: tokens of a conversation"] = Figure(
            size, "tokens", "lower", against="four characters a token"
        )
        for tokens in BUDGETS:
            made = [await ways(each, tokens) for each in talks]
            for way in made[0]:
                value, told = share(talks, [each[way] for each in made])
                figures[f"{name}: still answered, {way}, {tokens} tokens"] = Figure(
                    value, "share", "higher", against=told
                )
        value, told = share(talks, [recalled(each) for each in talks])
        figures[f"{name}: still answered, {BEST} turns recalled by words"] = Figure(
            value, "share", "higher", against=told
        )
    report("context_compaction", figures)


if __name__ == "__main__":
    asyncio.run(main())
