"""Settings for OpenVINO GenAI: loading a pipeline, and sampling one request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mainspring.engines.process.protocol import Message

BLOCK = 32
"""Tokens of one KV block of the CPU plugin."""
SPECULATING_TOKENS = 16_384
_GREEDY_BELOW = 1e-4
_SOURCE = re.compile(r" at /\S+")


NGRAM = 3
"""Tokens that must have occurred before for the following ones to be proposed."""


def speculation_config(configuration: Message) -> Message:
    """Additions to the ``GenerationConfig`` of the second pipeline's requests."""
    looked_up = {"max_ngram_size": NGRAM} if configuration["speculation"] == "prompt_lookup" else {}
    return {"num_assistant_tokens": configuration["speculation_tokens"], **looked_up}


def generation_config(runtime: Any, sampling: Message, max_tokens: int, choice: int) -> Message:
    """Keyword arguments of ``GenerationConfig``; unset sampling means temperature 1 over the whole vocabulary."""
    settings: Message = {
        "apply_chat_template": False,
        "max_new_tokens": max_tokens,
        "ignore_eos": sampling["ignore_eos"],
        "logprobs": 0 if sampling["logprobs"] is None else 1,
        "echo": bool(sampling.get("prompt_logprobs")),
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


def penalised(sampling: Message) -> bool:
    """Whether earlier output influences later output."""
    neutral = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    return any(sampling[name] not in (None, value) for name, value in neutral.items())


def structured(runtime: Any, kind: str, source: str) -> Any:
    """The runtime's form of a grammar."""
    return runtime.StructuredOutputConfig(**{"grammar" if kind == "ebnf" else kind: source})


def open_pipeline(runtime: Any, configuration: Message) -> Any:
    """Load the model: a directory with OpenVINO IR, or a GGUF file."""
    return _open(runtime, configuration, configuration["kv_blocks"], {})


def open_speculating(runtime: Any, configuration: Message) -> Any | None:
    """A second pipeline over the same model, in which every request speculates; None if that is off.

    The runtime has no pipeline that does so for some requests only, and it costs throughput where many run.
    """
    match configuration["speculation"]:
        case "prompt_lookup":
            more: dict[str, Any] = {"prompt_lookup": True}
        case "draft":
            more = {"draft_model": runtime.draft_model(configuration["draft"], "CPU")}
        case _:
            return None
    return _open(runtime, configuration, speculating_blocks(configuration), more)


def speculating_blocks(configuration: Message) -> int:
    """KV blocks of the second pipeline: room for a few answers, since it is used while few run."""
    return int(min(configuration["kv_blocks"], SPECULATING_TOKENS // BLOCK))


def _open(runtime: Any, configuration: Message, kv_blocks: int, more: dict[str, Any]) -> Any:
    scheduler = runtime.SchedulerConfig()
    scheduler.num_kv_blocks = kv_blocks
    scheduler.cache_size = 0
    scheduler.max_num_seqs = configuration["max_sequences"] + configuration.get("spare", 0)
    scheduler.max_num_batched_tokens = configuration["max_batched_tokens"]
    scheduler.enable_prefix_caching = configuration["prefix_cache"]
    scheduler.dynamic_split_fuse = True
    properties: dict[str, Any] = configuration["properties"] | more
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
