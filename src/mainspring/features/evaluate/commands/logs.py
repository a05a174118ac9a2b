"""``mainspring eval import-log``: what other harnesses measured, as experiments."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.command import whole_opener
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.command import WholeOpener
    from mainspring.core.settings import Settings
    from mainspring.evaluation.recorded import RecordedEvaluation


def import_log(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="samples_*.jsonl, results_*.json or the folder of lm-evaluation-harness; .eval or .json of Inspect",
            exists=True,
        ),
    ],
    dataset: Annotated[str, typer.Option(help="Data set to add the questions to", show_default="the task's name")] = "",
    model: Annotated[str, typer.Option(help="Name of the model that answered", show_default="that in the log")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant that owns it")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Import the log of an evaluation that lm-evaluation-harness or Inspect ran, as experiments.

    Its questions become a version of a data set, its answers and scores a finished experiment over it. A log that is
    there already is not imported again. Use the same --dataset for logs that you compare.
    """
    from mainspring.core.settings import load

    found = readings(file, model)
    settings = load(context.obj).settings
    rows = asyncio.run(_kept(whole_opener(context), settings, found, dataset, tenant))
    if as_json:
        show.as_json({"experiments": rows})
        return
    show.table(
        ("EXPERIMENT", "DATA SET", "MODEL", "SAMPLES", "LEFT OUT"),
        [
            (
                each["id"] if each["new"] else f"{each['id']} (known)",
                each["dataset"],
                each["model"],
                each["samples"],
                ", ".join(f"{count} {reason}" for reason, count in each["left_out"].items()),
            )
            for each in rows
        ],
    )


def readings(path: Path, model: str = "") -> list[Callable[[], RecordedEvaluation]]:
    """One for each evaluation of a file or a folder, which reads it when it is called: a folder's logs need not be in
    memory at once. It and they raise ``InvalidRequest``."""
    from mainspring.core.errors import InvalidRequest
    from mainspring.features.evaluate.logs import harness, inspection

    if path.is_dir():
        logs = sorted(each for each in path.rglob("*.eval") if each.is_file())[:1_000]
        found = [partial(inspection.read, each, model) for each in logs]
    elif path.suffix == ".eval" or (path.suffix == ".json" and not path.name.startswith("results_")):
        return [partial(inspection.read, path, model)]
    else:
        found = []
    samples = harness.samples_of(path)
    if not samples and not found:
        raise InvalidRequest(
            f"{path.name} has no samples",
            param="file",
            remedy="Run lm-evaluation-harness with --log_samples, and give the folder of --output_path",
        )
    return [*found, *(partial(harness.read, each, model) for each in samples)]


async def _kept(
    open_whole: WholeOpener,
    settings: Settings,
    found: Sequence[Callable[[], RecordedEvaluation]],
    data_set: str,
    tenant: str,
) -> list[dict[str, Any]]:
    from mainspring.core.types import Principal
    from mainspring.evaluation.recorded import EvaluationRecords

    # Nobody is asked: no chat model is loaded.
    models = settings.models.model_copy(update={"chat": (), "larger": ""})
    async with open_whole(settings.model_copy(update={"models": models})) as (_, services):
        keeper = services.fitting(EvaluationRecords)  # type: ignore[type-abstract]
        told = []
        for reading in found:
            each = await asyncio.to_thread(reading)
            name = data_set or re.sub(r"[^A-Za-z0-9._-]+", "-", each.task)[:128].strip("-") or "log"
            experiment, new = await keeper.record(Principal(tenant, "local"), each, name)
            told.append(
                {
                    "id": experiment,
                    "new": new,
                    "dataset": name,
                    "task": each.task,
                    "model": each.model,
                    "samples": len(each.rows),
                    "left_out": dict(each.left_out),
                }
            )
        return told
