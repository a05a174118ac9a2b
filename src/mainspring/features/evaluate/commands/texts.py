"""``mainspring eval texts``: measures generated texts against references."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.evaluation.texts.measures import Scores
    from mainspring.features.evaluate.texts.files import Example

_DEFAULT = "bleu,chrf,rouge-l,exact,f1"


def texts(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON lines with `prediction`, `reference(s)` and perhaps `source`")],
    measures: Annotated[
        str,
        typer.Option(
            help="Of bleu, chrf, ter, rouge-1, rouge-2, rouge-l, meteor, cider, exact, f1, similarity, similarity-f1"
        ),
    ] = _DEFAULT,
    wordnet: Annotated[
        Path | None,
        typer.Option(
            help="Folder of WordNet's files, for synonyms in METEOR; without it words match exactly or by stem"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write every example's values, as JSON")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Measure texts against references: BLEU, chrF, TER, ROUGE, METEOR, CIDEr, exact match, F1, and by embeddings.

    Intervals are 95 % over sources: examples that name one `source` are alike. For BLEU, chrF and TER they are of the
    mean over examples, which stands beside the value of the whole file.
    """
    from mainspring.features.evaluate.texts import files
    from mainspring.statistics.significance import clustered

    examples = files.read(file)
    names = [name.strip() for name in measures.split(",") if name.strip()]
    found = _scored(context, examples, names, wordnet)
    sources = [each.source for each in examples]
    rows: list[dict[str, Any]] = []
    for name, scores in found.items():
        mean = clustered(scores.each, sources)
        rows.append({"measure": name, "value": scores.value, "mean": mean.value, "low": mean.low, "high": mean.high})
    if out is not None:
        each = [
            {"id": example.id, **{name: scores.each[number] for name, scores in found.items()}}
            for number, example in enumerate(examples)
        ]
        out.write_text(json.dumps({"measures": rows, "examples": each}, indent=2) + "\n", encoding="utf-8")
    if as_json:
        show.as_json({"examples": len(examples), "measures": rows})
        return
    show.table(
        ("MEASURE", "VALUE", "MEAN OF EXAMPLES", "95 %", "N"),
        [
            (
                row["measure"],
                f"{row['value']:.3f}",
                f"{row['mean']:.3f}",
                f"{row['low']:.3f}-{row['high']:.3f}",
                len(examples),
            )
            for row in rows
        ],
    )


def _scored(
    context: typer.Context, examples: Sequence[Example], names: Sequence[str], wordnet: Path | None
) -> dict[str, Scores]:
    """By measure, in the order of ``names``."""
    from mainspring.evaluation.texts import embedding
    from mainspring.evaluation.texts.measures import score
    from mainspring.evaluation.texts.meteor import WordNet

    predictions, references = [each.prediction for each in examples], [each.references for each in examples]
    by_model = [name for name in names if name in embedding.MEASURES]
    plain = [name for name in names if name not in by_model]
    found = score(predictions, references, plain, WordNet(wordnet) if wordnet is not None else None) if plain else {}
    if by_model:
        found |= asyncio.run(_embedded(context, predictions, references, by_model))
    return {name: found[name] for name in names}


async def _embedded(
    context: typer.Context, predictions: Sequence[str], references: Sequence[Sequence[str]], names: Sequence[str]
) -> dict[str, Scores]:
    from mainspring.core.settings import load
    from mainspring.engines.catalogue.pull import Puller
    from mainspring.engines.encode.embedder import OpenVinoEmbedder
    from mainspring.evaluation.texts import embedding
    from mainspring.terminal.pulling import pull_missing

    settings = load(context.obj).settings
    models = settings.models.model_copy(update={"chat": (), "larger": ""})
    settings = settings.model_copy(update={"models": models})
    pull_missing(settings)
    embedder = OpenVinoEmbedder(Puller(settings).local(settings.models.embedding), settings.engines.threads)
    try:
        return await embedding.score(embedder, predictions, references, names)
    finally:
        await embedder.close()
