"""What a run leaves behind: an adapter in PEFT's form that the catalogue merges at pull, or all weights as a GGUF."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict
from safetensors.torch import save_file

from mainspring.training.chat import base_weights
from mainspring.training.chat.held_out import HeldOut
from mainspring.training.chat.tuning import Tuning
from mainspring.training.folder import write_json
from mainspring.training.recipe import Made, Work

ADAPTER, SCORES = "adapter_model.safetensors", "scores.json"


def write(
    work: Work,
    tuning: Tuning,
    told: Mapping[str, Mapping[str, Any]],
    *,
    notes: Sequence[str] = (),
    held: HeldOut,
) -> Made:
    """Write what was learned into ``output``; ``told`` are the figures (``held_out.report``). ``held`` has what the
    gates of a conversion compare with."""
    files = _all_weights(work.output, tuning) if tuning.learns_all else adapter(work.output, tuning)
    if parity := held.parity():
        lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in parity)
        (work.output / "parity.jsonl").write_text(lines, encoding="utf-8")
        files = (*files, "parity.jsonl")
    if scores := held.scores():
        write_json(work.output / SCORES, scores)
        files = (*files, SCORES)
    entry = _whole_entry(tuning) if tuning.learns_all else adapter_entry(tuning)
    return Made(
        "chat" if tuning.learns_all else "adapter",
        files,
        figures=told.get("figures", {}),
        intervals=told.get("intervals", {}),
        counted=told.get("counted", {}),
        before=told.get("before", {}),
        entry=entry,
        notes=tuple(notes),
    )


def adapter(folder: Path, tuning: Tuning) -> tuple[str, ...]:
    """The adapter, as PEFT names its tensors, in half precision: half the size, and a merged one is rounded to eight
    bits in any case."""
    found = get_peft_model_state_dict(tuning.model)
    halves = {name: each.detach().to(torch.float16).cpu().contiguous() for name, each in found.items()}
    save_file(halves, folder / ADAPTER)
    config = tuning.model.peft_config["default"].to_dict()
    plain = {name: sorted(each) if isinstance(each, set) else each for name, each in config.items()}
    plain["base_model_name_or_path"] = tuning.base.name
    write_json(folder / "adapter_config.json", json.loads(json.dumps(plain, default=str)))
    return (ADAPTER, "adapter_config.json")


def adapter_entry(tuning: Tuning) -> dict[str, Any]:
    """The fields of an entry of the catalogue that merges the adapter; all others are the base's."""
    return {"adapter": {"alpha": tuning.options.alpha, "weights": {"name": ADAPTER}}}


def _all_weights(folder: Path, tuning: Tuning) -> tuple[str, ...]:
    base = tuning.base
    (folder / "tokenizer.json").write_bytes(base.tokenizer.read_bytes())
    if base.gguf is not None:
        base_weights.write_gguf(base, tuning.model, folder / "model.gguf")
        told = asdict(base) | {"gguf": "model.gguf", "tokenizer": "tokenizer.json", "folder": None}
        write_json(folder / "base.json", told)
        return ("model.gguf", "tokenizer.json", "base.json")
    tuning.model.save_pretrained(folder, max_shard_size="100GB")
    tuning.tokenizer.save_pretrained(folder)
    return tuple(sorted(each.name for each in folder.iterdir() if each.is_file()))


def _whole_entry(tuning: Tuning) -> dict[str, Any]:
    window = int(tuning.model.config.max_position_embeddings)
    if tuning.base.gguf is None:
        return {"kind": "chat", "context_window": window}
    return {
        "kind": "chat",
        "format": "gguf",
        "convert": ["openvino"],
        "files": [{"name": "model.gguf"}],
        "chat_template": tuning.base.template,
        "context_window": window,
    }
