"""What OpenVINO GenAI is told: how to load a pipeline and how to sample one request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mainspring.engines.protocol import Message

BLOCK = 32
"""Tokens of one KV block of the CPU plugin."""
_GREEDY_BELOW = 1e-4
_SOURCE = re.compile(r" at /\S+")


def generation_config(runtime: Any, sampling: Message, max_tokens: int, choice: int) -> Message:
    """Keyword arguments of ``GenerationConfig``; unset sampling means temperature 1 over the whole vocabulary."""
    settings: Message = {
        "apply_chat_template": False,
        "max_new_tokens": max_tokens,
        "ignore_eos": sampling["ignore_eos"],
        "logprobs": 0 if sampling["logprobs"] is None else 1,
    }
    for name in ("repetition_penalty", "presence_penalty", "frequency_penalty"):
        if sampling[name] is not None:
            settings[name] = sampling[name]
    if sampling["grammar"]:
        kind, source = sampling["grammar"]
        settings["structured_output_config"] = structured(runtime, kind, source)
    # Stop strings are found in the text, by our own streamer: the runtime's hold text back that it could release,
    # and in beam search they break the pipeline.
    if sampling["beams"] > 1:
        settings |= {"num_beams": sampling["beams"], "num_return_sequences": sampling["n"]}
        return settings
    temperature = 1.0 if sampling["temperature"] is None else sampling["temperature"]
    if temperature < _GREEDY_BELOW:
        return settings | {"do_sample": False}
    settings |= {"do_sample": True, "temperature": temperature, "rng_seed": sampling["seed"] + choice}
    for name in ("top_p", "top_k", "min_p"):
        # The runtime reads a top_k of 0 as the parent does: no limit.
        if sampling[name] is not None:
            settings[name] = sampling[name]
    if settings.get("min_p") == 1:
        # The runtime refuses it. Nothing else is as likely as the likeliest.
        settings |= {"min_p": 0.0, "top_k": 1}
    return settings


def structured(runtime: Any, kind: str, source: str) -> Any:
    """The runtime's form of a grammar."""
    return runtime.StructuredOutputConfig(**{"grammar" if kind == "ebnf" else kind: source})


def open_pipeline(runtime: Any, configuration: Message) -> Any:
    """Load the model: a directory with OpenVINO IR, or a GGUF file."""
    scheduler = runtime.SchedulerConfig()
    scheduler.num_kv_blocks = configuration["kv_blocks"]
    scheduler.cache_size = 0
    scheduler.max_num_seqs = configuration["max_sequences"]
    scheduler.max_num_batched_tokens = configuration["max_batched_tokens"]
    scheduler.enable_prefix_caching = configuration["prefix_cache"]
    scheduler.dynamic_split_fuse = True
    properties: dict[str, Any] = dict(configuration["properties"])
    if configuration["threads"]:
        properties["INFERENCE_NUM_THREADS"] = configuration["threads"]
    if not Path(configuration["model"]).exists():
        raise FileNotFoundError(f"there is no model at {configuration['model']}")
    return runtime.ContinuousBatchingPipeline(configuration["model"], scheduler, "CPU", properties)


def explain(error: Exception) -> str:
    """The runtime's last sentence, without the source file and line that it names first."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    _, source, tail = line.rpartition(".cc:")
    return tail.partition(": ")[2] if source else _SOURCE.sub("", line)
