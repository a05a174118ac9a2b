"""Reads what was trained elsewhere: the folder of a run of ``training.child``, or a model as peft and transformers save
it. Needs no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.core.errors import Conflict, InvalidRequest, ModelError, Unsupported
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.lora import Adapter
from mainspring.engines.encode import bert
from mainspring.features.train.versions.card import ELSEWHERE
from mainspring.training.folder import Folder, read_json
from mainspring.training.lock import RunLock
from mainspring.training.recipe import Made

_ADAPTER, _WEIGHTS, _CONFIG, _TOKENIZER = (
    "adapter_model.safetensors",
    "model.safetensors",
    "config.json",
    "tokenizer.json",
)
_PARITY = ("parity.jsonl", "scores.json")
"""Beside a model that one of our recipes wrote: what gates compare with."""
_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Result:
    """What lies in a folder. ``folder`` has the files of ``made``; ``run`` is the folder of the run that made it, with
    data and curves, if that is known. ``base`` is the name that its files tell."""

    made: Made
    folder: Path
    recipe: str = ELSEWHERE
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    run: Folder | None = None
    base: str = ""
    steps: tuple[tuple[int, Mapping[str, float]], ...] = ()


def read(folder: Path) -> Result:
    """Raises ``InvalidRequest`` for a folder that holds none of these, ``Conflict`` for a run that is not over, and
    ``Unsupported`` or ``ModelError`` for a model that cannot be served."""
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is not a folder", remedy="Name the folder of a result", param="folder")
    forms: Mapping[str, Callable[[Path], Result]] = {
        "job.json": _run,
        "adapter_config.json": _adapter,
        "base.json": _gguf,
        _CONFIG: _whole,
    }
    for name, form in forms.items():
        if (folder / name).is_file():
            return form(folder)
    raise InvalidRequest(
        f"{folder} has none of {', '.join(forms)}",
        remedy="Name the folder of a run (job.json, result.json), or one that save_pretrained of peft or transformers "
        "wrote",
        param="folder",
    )


def _run(path: Path) -> Result:
    """The folder of a run, which ``training.child`` worked in."""
    run = Folder(path)
    if RunLock(path).holder() is not None:
        raise Conflict(f"a process works in {path}", remedy="Wait for its end", param="folder")
    asked, made = run.asked, run.made
    if made is None:
        error = run.error
        why = f"it failed: {error['message']}" if error else "it has no result.json: it is not over"
        raise Conflict(
            f"{path} has no result, since {why}", remedy="Run it again: it goes on from its checkpoint", param="folder"
        )
    below = Path(asked.base)
    told = (read_json(below / "manifest.json") or read_json(below / "version.json") or {}) if asked.base else {}
    base = str(told.get("name") or told.get("label") or "")
    return Result(made, run.output, asked.recipe, asked.options, asked.seed, run, base)


def _adapter(folder: Path) -> Result:
    """A LoRA adapter of peft. Its scale is told as the catalogue merges it: alpha / r."""
    config = _json(folder / "adapter_config.json")
    if config.get("peft_type", "LORA") != "LORA" or config.get("task_type") not in (None, "CAUSAL_LM"):
        kind = f"{config.get('peft_type')} for {config.get('task_type')}"
        raise Unsupported(f"only LoRA of chat models can be merged, this is {kind}", param="folder")
    wrong = [name for name in ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save") if config.get(name)]
    wrong += ["bias"] if config.get("bias", "none") != "none" else []
    if wrong:
        raise Unsupported(
            f"an adapter with {', '.join(wrong)} cannot be merged",
            remedy="Merge it with peft (merge_and_unload), and adopt the whole weights",
            param="folder",
        )
    _there(folder, _ADAPTER)
    alpha = float(config.get("lora_alpha", config.get("r", 1)))
    if config.get("use_rslora"):
        alpha *= math.sqrt(int(config["r"]))
    try:
        Adapter.load(folder / _ADAPTER, alpha)
    except ModelError as error:
        raise Unsupported(error.message, remedy=error.remedy, param="folder") from None
    entry = {"adapter": {"alpha": alpha, "weights": {"name": _ADAPTER}}}
    made = Made("adapter", (_ADAPTER, "adapter_config.json", *_beside(folder)), entry=entry)
    return Result(made, folder, base=str(config.get("base_model_name_or_path") or ""), steps=_steps(folder))


def _gguf(folder: Path) -> Result:
    """All weights of a base of the catalogue, as our chat recipes write them."""
    told = _json(folder / "base.json")
    name = str(told.get("gguf") or "")
    if not name or not told.get("template"):
        raise Unsupported(
            "base.json names no gguf or template", remedy="A recipe with method full writes it", param="folder"
        )
    _there(folder, name, _TOKENIZER)
    window = int(GgufWeights(folder / name).hyper("context_length", 2048))
    entry = {
        "kind": "chat",
        "format": "gguf",
        "convert": ["openvino"],
        "files": [{"name": name}],
        "chat_template": told["template"],
        "context_window": window,
    }
    made = Made("chat", (name, _TOKENIZER, "base.json", *_beside(folder)), entry=entry)
    return Result(made, folder, base=str(told.get("name") or ""))


def _whole(folder: Path) -> Result:
    """All weights, as transformers saves them: of a chat model, a cross-encoder or an embedder."""
    config = _json(folder / _CONFIG)
    if (folder / f"{_WEIGHTS}.index.json").exists():
        raise Unsupported(
            "the weights are in several files", remedy='Save them with max_shard_size="100GB"', param="folder"
        )
    _there(folder, _WEIGHTS, _TOKENIZER)
    names = (_CONFIG, _WEIGHTS, _TOKENIZER)
    more = tuple(name for name in ("tokenizer_config.json", "chat_template.jinja") if (folder / name).is_file())
    kinds = [str(each) for each in config.get("architectures") or ()]
    if any(each.endswith("ForCausalLM") for each in kinds):
        entry: dict[str, Any] = {"kind": "chat"}
        if config.get("max_position_embeddings"):
            entry["context_window"] = int(config["max_position_embeddings"])
        made = Made("chat", (*names, *more, *_beside(folder)), entry=entry)
        return Result(made, folder, base=str(config.get("_name_or_path") or ""), steps=_steps(folder))
    scores = any(each.endswith("ForSequenceClassification") for each in kinds)
    if scores and len(config.get("id2label") or {"0": ""}) != 1:
        raise Unsupported(
            "a cross-encoder has one output, this one has several",
            remedy="Train nli, readers and classifiers by their recipes",
            param="folder",
        )
    try:
        bert.load(folder)
    except ModelError as error:
        raise Unsupported(error.message, param="folder") from None
    window = int(config["max_position_embeddings"])
    entry = {
        "kind": "reranker" if scores else "embedding",
        "format": "safetensors",
        "convert": ["encoder"],
        "files": [{"name": name} for name in names],
        "context_window": window,
        "max_tokens": window,
    }
    if not scores:
        pooling = read_json(folder / "1_Pooling" / _CONFIG) or {}
        cls = bool(pooling.get("pooling_mode_cls_token"))
        entry |= {"dimensions": int(config["hidden_size"]), "pooling": "cls" if cls else "mean"}
    return Result(Made("reranker" if scores else "embedding", (*names, *_beside(folder)), entry=entry), folder)


def _beside(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in _PARITY if (folder / name).is_file())


def _there(folder: Path, *names: str) -> None:
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise InvalidRequest(
            f"{folder} lacks {', '.join(missing)}", remedy="Save the model as safetensors", param="folder"
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except ValueError:
        found = None
    if found is None:
        raise InvalidRequest(f"{path} is not a JSON object", param="folder")
    return found


def _steps(folder: Path) -> tuple[tuple[int, Mapping[str, float]], ...]:
    """The curves of the trainer of transformers, if it left them there."""
    try:
        told = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["log_history"][:_MOST_STEPS]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    found: dict[int, dict[str, float]] = {}
    for each in told if isinstance(told, list) else ():
        if isinstance(each, dict) and isinstance(each.get("step"), int):
            figures = {
                str(name): float(value)
                for name, value in each.items()
                if isinstance(value, int | float) and name not in ("step", "epoch") and math.isfinite(value)
            }
            found.setdefault(each["step"], {}).update(figures)
    return tuple(sorted(found.items()))
