"""What speculation by prompt lookup gains where an answer copies from its context, and what it costs where it does not.

    python benchmarks/speculation.py [--rounds 3] [--prompts 8] [--tokens 96]

Two engines of the same model and settings take turns, one with ``engines.speculation: prompt_lookup``, one stream at a
time; each prompt is answered by both, and each pair is compared. ``repeat`` copies a paragraph of the sample handbook
word by word, ``quote`` answers a question with the sentence that says it, ``story`` has nothing to copy. Greedy texts
may differ: another shape of the batch rounds differently, so their equality is reported and not promised. At 8 streams
only what starts alone speculates.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _report import Figure, report
from _server import cpu_seconds
from mainspring.core.settings import EnginesSettings, Settings
from mainspring.core.types import Message, Sampling, Text, Usage
from mainspring.engines.base import Generation
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.chat.template import CHATML, ChatTemplate
from mainspring.engines.openvino.engine import OpenVinoEngine

MODEL = "smollm2-135m-instruct"
HANDBOOK = Path(__file__).parent.parent / "samples" / "handbook"
STORIES = ("a lighthouse", "a lost key", "the last train", "an old map", "two brothers", "a garden", "rain", "a clock")


@dataclass(frozen=True, slots=True)
class Run:
    """One answer: wall seconds, CPU seconds of the engine's process, tokens, pieces of text, the text."""

    seconds: float
    cpu: float
    tokens: int
    pieces: int
    text: str


def paragraphs(count: int) -> list[str]:
    """Paragraphs of 40 to 90 words of the sample handbook, in the order of its files."""
    found = []
    for path in sorted(HANDBOOK.glob("*.md")):
        for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
            words = paragraph.split()
            if 40 <= len(words) <= 90 and not paragraph.startswith(("#", "|", "-", "*", ">", "`")):
                found.append(" ".join(words))
    return found[:count]


def prompts(count: int) -> dict[str, list[str]]:
    """Questions by kind."""
    texts = paragraphs(count)
    return {
        "repeat": [f"Repeat this text word by word:\n\n{text}" for text in texts],
        "quote": [f"Context:\n{text}\n\nQuote the sentences of the context that hold the main rule." for text in texts],
        "story": [f"Tell me a story about {about}." for about in STORIES[:count]],
    }


async def run(engine: OpenVinoEngine, prompt: str, tokens: int) -> Run:
    assert engine.pid is not None
    cpu, started = cpu_seconds(engine.pid), time.perf_counter()
    sampling = Sampling(max_tokens=tokens, temperature=0.0)
    pieces, usage = [], Usage()
    async for event in await engine.generate(Generation(prompt, sampling)):
        if isinstance(event, Text):
            pieces.append(event.text)
        elif isinstance(event, Usage):
            usage = event
    wall = time.perf_counter() - started
    return Run(wall, cpu_seconds(engine.pid) - cpu, usage.completion_tokens, len(pieces), "".join(pieces))


def ratio(plain: Sequence[Run], fast: Sequence[Run], field: str) -> float:
    """The median over pairs of what a token took without speculation over what it took with it."""
    taken: list[float] = [
        float(getattr(a, field) / a.tokens) / max(1e-9, getattr(b, field) / b.tokens)
        for a, b in zip(plain, fast, strict=True)
        if a.tokens and b.tokens
    ]
    return statistics.median(taken)


async def measure(arguments: argparse.Namespace) -> dict[str, Figure]:
    pulled = Puller(Settings()).local(MODEL)
    template = ChatTemplate(pulled.chat_template or CHATML)
    settings = EnginesSettings(kv_tokens=16384, prefix_cache=False)
    plain = OpenVinoEngine(pulled, settings, MODEL, 8192)
    fast = OpenVinoEngine(pulled, settings.model_copy(update={"speculation": "prompt_lookup"}), MODEL, 8192)
    figures: dict[str, Figure] = {}
    await plain.start()
    await fast.start()
    try:
        for kind, questions in prompts(arguments.prompts).items():
            rendered = [template.render((Message("user", text),)) for text in questions]
            pairs: tuple[list[Run], list[Run]] = ([], [])
            for number in range(arguments.rounds):
                for prompt in rendered:
                    for side in (0, 1) if number % 2 else (1, 0):
                        pairs[side].append(await run((plain, fast)[side], prompt, arguments.tokens))
            figures |= compared(kind, *pairs)
        figures["memory of the second pipeline"] = Figure(
            memory_mb(fast) - memory_mb(plain), "MB", "lower", against="the same engine without speculation"
        )
    finally:
        await plain.close()
        await fast.close()
    return figures


def compared(kind: str, plain: list[Run], fast: list[Run]) -> dict[str, Figure]:
    """The figures of one kind of prompt."""
    floor, aim = (1.3, 2.0) if kind == "repeat" else (None, None)
    same = sum(a.text == b.text for a, b in zip(plain, fast, strict=True)) / len(plain)
    against = f"the same engine without speculation, one stream, median of {len(plain)} pairs"
    per_piece = sum(b.tokens for b in fast) / sum(b.pieces for b in fast)
    return {
        f"{kind}: tokens a second": Figure(ratio(plain, fast, "seconds"), "x", "higher", floor, aim, against),
        f"{kind}: tokens a CPU second of the engine": Figure(ratio(plain, fast, "cpu"), "x", "higher", against=against),
        f"{kind}: tokens a step": Figure(per_piece, "", "higher", against="1 without speculation"),
        f"{kind}: texts that are equal": Figure(same, "share", "higher", against="greedy, bfloat16"),
    }


def memory_mb(engine: OpenVinoEngine) -> float:
    status = Path(f"/proc/{engine.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=96)
    report("speculation", asyncio.run(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
