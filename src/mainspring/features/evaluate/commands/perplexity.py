"""``mainspring eval perplexity``: how well a model predicts texts."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.command import opener
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.command import Opener
    from mainspring.core.settings import Settings
    from mainspring.features.evaluate.capabilities.perplexity import Perplexity


def perplexity(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A text, or JSON lines with `text` and perhaps `name`", exists=True)],
    model: Annotated[str, typer.Option(help="A chat model of the catalogue, or of models.remote")],
    limit: Annotated[int, typer.Option(min=0, help="Maximum number of texts (0: all)")] = 0,
    characters: Annotated[int, typer.Option(min=200, help="Length of the pieces of a long text")] = 4_000,
    overlap: Annotated[int, typer.Option(min=0, help="Characters of context before a piece")] = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Measure the perplexity of texts under a model, with a 95 % interval over texts.

    By word and in bits a byte, models with different tokenizers can be compared; by token they cannot.
    """
    from mainspring.core.settings import load
    from mainspring.features.evaluate.commands.benchmark import serving_alone

    texts = read(file)[: limit or None]
    settings = serving_alone(load(context.obj).settings, model, prompt_logprobs=True)
    with tempfile.TemporaryDirectory(prefix="mainspring-perplexity-") as home:
        # The texts are what is measured: nothing in them is refused or replaced.
        guards = settings.guards.model_copy(update={"injection": "off", "harm": "off", "pii_input": "off"})
        settings = settings.model_copy(update={"home": Path(home), "guards": guards})
        found = asyncio.run(_measured(opener(context), settings, model, texts, characters, overlap))
    if as_json:
        show.as_json(told(found))
        return
    value = found.by_token
    each = f" [{value.low:.3f}, {value.high:.3f}]" if math.isfinite(value.high) else ""
    show.table(
        ("BY TOKEN", "BY WORD", "BITS A BYTE", "TOKENS", "TEXTS"),
        [(f"{value.value:.3f}{each}", f"{found.by_word:.2f}", f"{found.bits_per_byte:.4f}", found.tokens, value.n)],
    )


def told(found: Perplexity) -> dict[str, Any]:
    """It as JSON; an interval without end is null."""
    value = found.by_token
    ends = [value.low, value.high] if math.isfinite(value.high) else None
    return {
        "perplexity": value.value,
        "interval": ends,
        "by_word": found.by_word,
        "bits_per_byte": found.bits_per_byte,
        "tokens": found.tokens,
        "texts": [{"name": each.name, "perplexity": each.perplexity, "tokens": each.tokens} for each in found.texts],
    }


def read(path: Path) -> list[tuple[str, str]]:
    """Names and texts. Raises ``InvalidRequest`` naming the line."""
    from mainspring.core.errors import InvalidRequest

    content = path.read_text(encoding="utf-8")
    if path.suffix not in (".jsonl", ".ndjson"):
        return [(path.name, content)]
    found: list[tuple[str, str]] = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError:
            row = {}
        if row is None:
            continue
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InvalidRequest(
                f"{path.name}, line {number}: no object with a text", remedy='{"text": "..."}', param="file"
            )
        found.append((str(row.get("name") or number), row["text"]))
    return found


async def _measured(
    open_rooms: Opener, settings: Settings, model: str, texts: Sequence[tuple[str, str]], characters: int, overlap: int
) -> Perplexity:
    from mainspring.features.evaluate.capabilities.asking import Target
    from mainspring.features.evaluate.capabilities.perplexity import measure

    async with open_rooms(settings) as rooms:
        target = Target(rooms.responder, model, rooms.local)
        with show.progress() as progress:
            return await measure(
                target,
                texts,
                characters=characters,
                overlap=overlap,
                progress=lambda done, total: progress("Reading", done, total),
            )
