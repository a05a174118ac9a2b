"""The default engine's scheduler in this process: for benchmarks of what it does with its slots and its cache."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import openvino_genai as runtime

from mainspring.core.settings import load
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.openvino.child import Scheduler
from mainspring.engines.openvino.runtime import BLOCK, open_pipeline

MODEL = "smollm2-135m-instruct"
_PULLED = Puller(load().settings).local(MODEL)
IR: Path = _PULLED.files["ir"]
PROPERTIES = {"INFERENCE_PRECISION_HINT": load().settings.engines.precision}
_ids = count(1)


def scheduler(sequences: int, kv_tokens: int, **more: Any) -> Scheduler:
    """A scheduler over a pipeline of its own. ``more`` are further entries of the child's configuration."""
    configuration: dict[str, Any] = {
        "model": str(IR),
        "context_window": _PULLED.entry.context_window,
        # One block stays free in the scheduler's own account.
        "kv_blocks": kv_tokens // BLOCK + 1,
        "max_sequences": sequences,
        "max_batched_tokens": load().settings.engines.max_batched_tokens,
        "prefix_cache": True,
        "threads": 0,
        "properties": PROPERTIES,
        **more,
    }
    return Scheduler(open_pipeline(runtime, configuration), runtime, configuration)


def add(engine: Scheduler, prompt: str, max_tokens: int) -> int:
    """Put a greedy request in line whose answer has exactly ``max_tokens`` tokens; its number."""
    number = next(_ids)
    sampling = {
        "max_tokens": max_tokens,
        "temperature": 0.0,
        "top_p": None,
        "top_k": None,
        "min_p": None,
        "repetition_penalty": None,
        "presence_penalty": None,
        "frequency_penalty": None,
        "stop": (),
        "seed": 0,
        "n": 1,
        "logprobs": None,
        "beams": 1,
        "ignore_eos": True,
        "grammar": None,
    }
    engine.intake({"op": "add", "id": number, "prompt": prompt, "priority": 0, "sampling": sampling})
    return number
