"""Jobs, recipes and versions as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.features.train.jobs.store import OVER, Row
from mainspring.features.train.versions import keeping
from mainspring.features.train.versions.entering import SERVED
from mainspring.stores.sql import rows
from mainspring.training.ports import JobView, Version
from mainspring.training.recipe import Recipe


def recipe_body(recipe: Recipe) -> dict[str, Any]:
    """A ``training.recipe`` object; its options as JSON schema."""
    return {
        "id": recipe.name,
        "object": "training.recipe",
        "summary": recipe.summary,
        "makes": recipe.makes,
        "reads": list(recipe.reads),
        "needs": list(recipe.needs),
        "bases": list(recipe.bases),
        "named": {name: list(kinds) for name, kinds in recipe.options.named.items()},
        "source": recipe.source,
        "processes": recipe.processes,
        "options": recipe.options.model_json_schema(),
    }


def job_body(row: Row, view: JobView) -> dict[str, Any]:
    """A ``training.job`` object."""
    asked, data = rows.load(row.asked), rows.load(row.data)
    return {
        "id": row.id,
        "object": "training.job",
        "recipe": row.recipe,
        "name": row.name,
        "status": view.state,
        "wish": (row.wish if row.state not in OVER else "") or None,
        "step": view.step,
        "figures": dict(view.figures),
        "version": view.version or None,
        "error": rows.load(row.error),
        "seconds": round(view.seconds, 1),
        "options": asked["options"],
        "seed": asked["seed"],
        "base": row.base or None,
        "export": asked["export"] or None,
        "limits": {name: asked[name] for name in ("seconds", "usd", "night")},
        "data": {name: data[name] for name in ("source", "rows", "sides", "split", "sha256", "files") if name in data},
        "metadata": rows.load(row.metadata),
        "created_at": int(row.created_at),
        "started_at": _time(row.started_at),
        "ended_at": _time(row.ended_at),
    }


def event_body(row: Row) -> dict[str, Any]:
    """A ``training.event`` object."""
    return {
        "id": row.id,
        "object": "training.event",
        "at": row.at,
        "level": row.level,
        "message": row.message,
    }


def both_ends(samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first and the last sample of each prompt, in the order of their steps."""
    first: dict[str, dict[str, Any]] = {}
    last: dict[str, dict[str, Any]] = {}
    for each in samples:
        first.setdefault(each["prompt"], each)
        last[each["prompt"]] = each
    return [each for each in samples if each is first[each["prompt"]] or each is last[each["prompt"]]]


def version_body(row: Row, version: Version) -> dict[str, Any]:
    """A ``training.version`` object."""
    made = version.made
    return {
        "id": version.label,
        "object": "training.version",
        "name": version.name,
        "number": version.number,
        "makes": version.makes,
        "recipe": version.recipe,
        "job": version.job_id,
        "export": version.export or None,
        "base": version.base or None,
        "figures": _figures(made.figures, made.before, made.intervals, made.counted),
        "value": dict(made.value),
        "notes": list(made.notes),
        "servable": version.makes in SERVED,
        "served": version.served or None,
        "stale": version.stale or None,
        "withdrawn": version.withdrawn,
        "problem": row.problem or None,
        "created_at": int(version.created_at),
    }


def details(row: Row, folder: Path) -> dict[str, Any]:
    """What a version's own page tells besides: its order, its data and its files."""
    asked = rows.load(row.asked)
    files = [{"name": name, "bytes": size} for name, size in keeping.files(folder)] if folder.exists() else []
    return {
        "options": asked.get("options", {}),
        "seed": asked.get("seed", 0),
        "data": rows.load(row.data),
        "files": files,
    }


def _figures(
    after: Mapping[str, float],
    before: Mapping[str, float],
    intervals: Mapping[str, Sequence[float]],
    counted: Mapping[str, int],
) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "before": before.get(name),
            "after": value,
            "interval": list(intervals[name]) if name in intervals else None,
            "n": counted.get(name),
        }
        for name, value in after.items()
    ]


def _time(moment: float | None) -> int | None:
    return None if moment is None else int(moment)


def ago(moment: float) -> str:
    """How long ago, for people."""
    seconds = max(0, int(time.time() - moment))
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
