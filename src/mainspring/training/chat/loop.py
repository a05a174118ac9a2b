"""The loop of trl's trainers within a run: checkpoints that are whole or absent, curves, stopping, the best weights.

A trainer writes a checkpoint into a folder of its own, from which it is moved to ``checkpoints/step-N`` when it is
complete. Losses on validation lie beside, by step: a run that was killed finds the same best weights again.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from mainspring.training import checkpoints
from mainspring.training.chat.options import TuneOptions
from mainspring.training.chat.tuning import Tuning
from mainspring.training.folder import read_json, write_json
from mainspring.training.recipe import Interrupted, Work

_LONGEST = 120.0
_DRAFTS = ".trainer"
_BEST = "best.json"


def arguments(work: Work, tuning: Tuning, rows: int) -> dict[str, Any]:
    """The arguments of every trainer; ``rows`` are those that it learns from. Another process of the same run gets the
    same."""
    options = tuning.options
    planned = planned_steps(options, rows)
    return {
        "output_dir": str(work.checkpoints / _DRAFTS),
        "seed": work.seed,
        "data_seed": work.seed,
        "num_train_epochs": options.epochs,
        "max_steps": options.steps or -1,
        "learning_rate": options.learning_rate,
        "lr_scheduler_type": options.schedule,
        "warmup_steps": math.ceil(options.warmup * planned) if options.schedule != "constant" else 0,
        "weight_decay": options.weight_decay,
        "per_device_train_batch_size": options.batch,
        "per_device_eval_batch_size": options.batch,
        "gradient_accumulation_steps": options.accumulation,
        "gradient_checkpointing": options.gradient_checkpointing,
        "bf16": tuning.precision == "bf16",
        "fp16": tuning.precision == "fp16",
        "use_cpu": not torch.cuda.is_available(),
        "logging_steps": 1,
        "logging_first_step": True,
        "save_strategy": "steps",
        "save_steps": options.save_every,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def planned_steps(options: TuneOptions, rows: int) -> int:
    """Steps that a run has if nothing stops it."""
    batches = math.ceil(rows / options.batch)
    return options.steps or max(1, math.ceil(options.epochs * max(1, math.ceil(batches / options.accumulation))))


def evaluating(options: TuneOptions, rows: int, validation: int) -> dict[str, Any]:
    """The arguments of a trainer that has rows of validation."""
    if not validation:
        return {"eval_strategy": "no"}
    every = options.evaluate_every or max(1, planned_steps(options, rows) // 10)
    return {"eval_strategy": "steps", "eval_steps": every, "prediction_loss_only": True}


class Watch(TrainerCallback):
    """Follows a trainer for the run. ``metric`` is the figure of evaluations that chooses; smaller is better."""

    def __init__(self, work: Work, tuning: Tuning, metric: str = "eval_loss") -> None:
        self._work = work
        self._tuning = tuning
        self._metric = metric
        self._saved_at = time.monotonic()
        self.interrupted = False
        self.notes: list[str] = []
        self._told: tuple[int, dict[str, float]] = (-1, {})
        self._evaluations: dict[int, float] = {}
        found = read_json(work.checkpoints / _BEST)
        if found:
            self._evaluations = {int(step): loss for step, loss in found["evaluations"].items()}

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Ask whether to go on, and whether a checkpoint is due."""
        if self._work.stopping():
            self.interrupted = True
            control.should_save = control.should_training_stop = True
        elif finishing(self._work):
            self.notes.append(f"the time or money of the run was used up after {state.global_step} steps")
            control.should_training_stop = True
        elif time.monotonic() - self._saved_at > _LONGEST:
            control.should_save = True
        return control

    def on_log(self, _args: Any, state: Any, _control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Keep the figures as curves."""
        figures = {
            name.replace("eval_", "validation_").replace("/", "_"): float(value)
            for name, value in (logs or {}).items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
        if not figures:
            return
        # If a step is reported twice, the latest report counts.
        if self._told[0] == state.global_step:
            figures = self._told[1] | figures
        self._told = (state.global_step, figures)
        self._work.log(state.global_step, **figures)

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Move what was written to its place."""
        self._saved_at = time.monotonic()
        written = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not self._work.main or not written.is_dir():
            return

        def move(draft: Path) -> None:
            for each in written.iterdir():
                each.rename(draft / each.name)

        checkpoints.save(self._work.checkpoints, state.global_step, move)
        shutil.rmtree(written, ignore_errors=True)

    def on_evaluate(
        self, _args: Any, state: Any, control: Any, metrics: Mapping[str, float] | None = None, **_: Any
    ) -> Any:
        """Keep the best weights, and stop after ``patience`` evaluations without better ones."""
        loss = (metrics or {}).get(self._metric)
        if loss is None or not math.isfinite(loss):
            return control
        self._evaluations[state.global_step] = float(loss)
        known = {step: each for step, each in self._evaluations.items() if step <= state.global_step}
        best = min(known, key=lambda step: (known[step], step))
        if best == state.global_step and self._work.main:
            self._keep(best)
        since = sum(step > best for step in known)
        if self._tuning.options.patience and since >= self._tuning.options.patience:
            self.notes.append(f"stopped after {state.global_step} steps: {since} evaluations brought no better loss")
            control.should_training_stop = True
        return control

    def _keep(self, step: int) -> None:
        folder = self._work.checkpoints
        draft = folder / f".best-{step}"
        save_file(learned(self._tuning.model), draft)
        draft.rename(folder / f"best-{step}.safetensors")
        write_json(folder / _BEST, {"best": step, "evaluations": self._evaluations})
        for old in folder.glob("best-*.safetensors"):
            if old.name != f"best-{step}.safetensors":
                old.unlink(missing_ok=True)

    def load_best(self, last: int) -> int:
        """Have the model the best weights; returns their step: ``last`` if nothing was evaluated."""
        found = read_json(self._work.checkpoints / _BEST)
        path = self._work.checkpoints / f"best-{found['best']}.safetensors" if found else None
        if found is None or path is None or not path.exists():
            return last
        restore(self._tuning.model, load_file(path))
        return int(found["best"])


def drive(trainer: Any, work: Work, watch: Watch) -> int:
    """Train from the latest checkpoint, or from the beginning; returns the step of the weights that are kept. Raises
    ``Interrupted`` after a checkpoint."""
    shutil.rmtree(work.checkpoints / _DRAFTS, ignore_errors=True)
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(watch)
    latest = checkpoints.latest(work.checkpoints)
    trainer.train(resume_from_checkpoint=str(latest) if latest else None)
    if watch.interrupted:
        raise Interrupted
    return watch.load_best(trainer.state.global_step)


def finishing(work: Work) -> bool:
    """Whether the run's time or money is used up, so that it ends with the best it has."""
    asked = getattr(work, "finishing", None)
    return bool(asked()) if asked else False


def learned(model: Any) -> dict[str, Any]:
    """The weights that learn, by name."""
    return {name: each.detach().cpu().contiguous() for name, each in model.named_parameters() if each.requires_grad}


def restore(model: Any, weights: Mapping[str, Any]) -> None:
    """Set the weights that learn."""
    with torch.no_grad():
        for name, each in model.named_parameters():
            if name in weights:
                each.copy_(weights[name].to(each.device))
