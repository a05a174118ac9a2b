"""Jobs, events and checkpoints in OpenAI's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.features.train.jobs.store import Row
from mainspring.stores.sql import rows
from mainspring.training import checkpoints
from mainspring.training.folder import Folder
from mainspring.training.ports import JobView

_STATES = {"waiting": "queued"}
_METRICS = {
    "loss": "train_loss",
    "train_loss": "train_loss",
    "validation_loss": "valid_loss",
    "valid_loss": "valid_loss",
    "accuracy": "train_mean_token_accuracy",
    "validation_accuracy": "valid_mean_token_accuracy",
}
_MOST_POINTS = 300


def job_body(row: Row, view: JobView) -> dict[str, Any]:
    """A ``fine_tuning.job`` object."""
    asked, data = rows.load(row.asked), rows.load(row.data)
    files: Mapping[str, str] = data.get("files", {})
    method = data.get("method")
    told = (method or {}).get((method or {}).get("type", ""), {}).get("hyperparameters", {})
    names = ("n_epochs", "batch_size", "learning_rate_multiplier")
    tokens = view.figures.get("tokens")
    return {
        "id": row.id,
        "object": "fine_tuning.job",
        "created_at": int(row.created_at),
        "error": rows.load(row.error),
        "fine_tuned_model": row.version or None,
        "finished_at": None if row.ended_at is None else int(row.ended_at),
        "hyperparameters": {name: told.get(name, "auto") for name in names},
        "model": row.base or row.recipe,
        "organization_id": row.tenant,
        "result_files": [],
        "seed": asked["seed"],
        "status": _STATES.get(view.state, view.state),
        "trained_tokens": None if tokens is None else int(tokens),
        "training_file": files.get("train", asked["export"]),
        "validation_file": files.get("validation"),
        "estimated_finish": None,
        "integrations": [],
        "metadata": rows.load(row.metadata),
        "method": method,
    }


def events(told: Sequence[Row], folder: Folder) -> list[dict[str, Any]]:
    """``fine_tuning.job.event`` objects, oldest first: messages, and figures of at most some hundred steps."""
    found = [
        {
            "id": each.id,
            "object": "fine_tuning.job.event",
            "created_at": int(each.at),
            "level": each.level,
            "message": each.message,
            "type": "message",
            "data": {},
            "at": each.at,
        }
        for each in told
    ]
    points = folder.metrics()
    every = max(1, -(-len(points) // _MOST_POINTS))
    for place, point in enumerate(points):
        if place % every and place + 1 < len(points):
            continue
        figures = " ".join(f"{name}={value:.4g}" for name, value in point["figures"].items())
        found.append(
            {
                "id": f"ftevent-step-{point['step']}",
                "object": "fine_tuning.job.event",
                "created_at": int(point["at"]),
                "level": "info",
                "message": f"Step {point['step']}: {figures}",
                "type": "metrics",
                "data": {"step": point["step"], **_metrics(point["figures"])},
                "at": point["at"],
            }
        )
    found.sort(key=lambda each: (each["at"], each["id"]))
    return [{name: value for name, value in each.items() if name != "at"} for each in found]


def checkpoints_of(row: Row, folder: Folder) -> list[dict[str, Any]]:
    """``fine_tuning.job.checkpoint`` objects, oldest first: those that the run would go on from, and the last one,
    which became the version. The others are no models to ask."""
    points = {point["step"]: point for point in folder.metrics()}
    saved: list[tuple[int, float, str]] = []
    for path in checkpoints.every(folder.checkpoints) if folder.checkpoints.exists() else []:
        saved.append((checkpoints.step_of(path), _changed(path), f"{row.name}:ckpt-step-{checkpoints.step_of(path)}"))
    if row.version:
        saved.append((int(row.step), float(row.ended_at or row.updated_at), row.version))
    return [
        {
            "id": f"ftckpt-{row.id.removeprefix('ftjob-')}-{step}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": int(at),
            "fine_tuned_model_checkpoint": name,
            "fine_tuning_job_id": row.id,
            "step_number": step,
            "metrics": {"step": step, **_metrics(points.get(step, {}).get("figures", {}))},
        }
        for step, at, name in saved
    ]


def _metrics(figures: Mapping[str, float]) -> dict[str, float]:
    return {_METRICS[name]: value for name, value in figures.items() if name in _METRICS}


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
