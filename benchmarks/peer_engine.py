"""One engine of the comparison with peers, in a process of its own, in an environment of its own.

    python benchmarks/peer_engine.py openvino|llamacpp|vllm|transformers MODEL [THREADS]

MODEL is a folder with OpenVINO IR, a GGUF file, or a folder with safetensors. Reads one JSON object a line,
``{"prompts": [text, ...], "max_tokens": n}``: all prompts are sent at once, answers are greedy and of that length.
Answers with ``{"seconds", "tokens", "first": [seconds to the first token, a prompt], "gap": mean seconds between
tokens}``. Nothing of mainspring is imported for the last two.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

WINDOW = 2048


class Peer(Protocol):
    """``stream`` yields how many tokens have come, each time that some have."""

    async def start(self) -> None: ...

    def stream(self, prompt: str, max_tokens: int) -> AsyncIterator[int]: ...


class Ours:
    """An engine of this project: ``openvino`` or ``llamacpp``."""

    def __init__(self, kind: str, model: str, threads: int) -> None:
        from pathlib import Path

        from mainspring.core.settings import EnginesSettings
        from mainspring.engines.llamacpp.engine import LlamaCppEngine
        from mainspring.engines.openvino.engine import OpenVinoEngine

        settings = EnginesSettings(threads=threads, kv_tokens=65536, prefix_cache=False)
        made = OpenVinoEngine if kind == "openvino" else LlamaCppEngine
        self._engine = made(Path(model), settings, kind, WINDOW)

    async def start(self) -> None:
        await self._engine.start()

    async def stream(self, prompt: str, max_tokens: int) -> AsyncIterator[int]:
        from mainspring.core.types import Sampling, Text
        from mainspring.engines.base import Generation

        sampling = Sampling(max_tokens=max_tokens, temperature=0.0, ignore_eos=True)
        seen = 0
        async for event in await self._engine.generate(Generation(prompt, sampling)):
            if type(event) is Text:
                seen += event.tokens
                yield seen


class Vllm:
    """vLLM's own asynchronous engine, in bfloat16."""

    def __init__(self, model: str, threads: int) -> None:
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        os.environ.setdefault("OMP_NUM_THREADS", str(threads or os.cpu_count() or 1))
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        self._model = model
        self._engine: Any = None
        self._next = 0

    async def start(self) -> None:
        engine: Any = importlib.import_module("vllm.v1.engine.async_llm").AsyncLLM
        self._engine = engine.from_engine_args(
            importlib.import_module("vllm").AsyncEngineArgs(
                model=self._model, dtype="bfloat16", max_model_len=WINDOW, max_num_seqs=32, enable_prefix_caching=False
            )
        )

    async def stream(self, prompt: str, max_tokens: int) -> AsyncIterator[int]:
        self._next += 1
        sampling = importlib.import_module("vllm").SamplingParams(
            max_tokens=max_tokens, temperature=0.0, ignore_eos=True
        )
        async for output in self._engine.generate(prompt, sampling, str(self._next)):
            yield len(output.outputs[0].token_ids)


class Transformers:
    """``generate`` of transformers over one static batch, in bfloat16: every step gives a token to each prompt."""

    def __init__(self, model: str, threads: int) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
        if threads:
            torch.set_num_threads(threads)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        self._tokenizer.padding_side = "left"
        self._tokenizer.pad_token = self._tokenizer.pad_token or self._tokenizer.eos_token
        self._model = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16)

    def batch(self, prompts: list[str], max_tokens: int) -> list[float]:
        """When each step was done."""
        torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
        at: list[float] = []

        def note(_: Any, scores: Any) -> Any:
            at.append(time.perf_counter())
            return scores

        inputs = self._tokenizer(prompts, return_tensors="pt", padding=True)
        length = {"max_new_tokens": max_tokens, "min_new_tokens": max_tokens}
        with torch.inference_mode():
            self._model.generate(
                **inputs, **length, do_sample=False, logits_processor=transformers.LogitsProcessorList([note])
            )
        return at


async def round_of(peer: Peer, prompts: list[str], max_tokens: int) -> dict[str, Any]:
    """All ``prompts`` at once."""
    started = time.perf_counter()

    async def one(prompt: str) -> tuple[float, float, int]:
        first, last, seen = 0.0, 0.0, 0
        async for count in peer.stream(prompt, max_tokens):
            seen, last = count, time.perf_counter()
            first = first or last
        return first - started, last - started, seen

    answers = await asyncio.gather(*map(one, prompts))
    seconds = time.perf_counter() - started
    gaps = [(last - first) / (seen - 1) for first, last, seen in answers if seen > 1]
    return {
        "seconds": seconds,
        "tokens": sum(seen for _, _, seen in answers),
        "first": [first for first, _, _ in answers],
        "gap": sum(gaps) / len(gaps),
    }


def batch_of(peer: Transformers, prompts: list[str], max_tokens: int) -> dict[str, Any]:
    """All ``prompts`` as one static batch."""
    started = time.perf_counter()
    at = peer.batch(prompts, max_tokens)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "tokens": len(prompts) * max_tokens,
        "first": [at[0] - started] * len(prompts),
        "gap": (at[-1] - at[0]) / max(1, len(at) - 1),
    }


async def serve(kind: str, model: str, threads: int) -> None:
    """Answer rounds until the input ends."""
    loop, out = asyncio.get_running_loop(), os.fdopen(os.dup(1), "w")
    # What libraries print must not come between our lines.
    os.dup2(2, 1)
    peer: Peer | Transformers
    if kind == "transformers":
        peer = Transformers(model, threads)
    else:
        peer = Vllm(model, threads) if kind == "vllm" else Ours(kind, model, threads)
        await peer.start()
    print(json.dumps({"ready": kind}), file=out, flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if isinstance(peer, Transformers):
            answer = batch_of(peer, asked["prompts"], asked["max_tokens"])
        else:
            answer = await round_of(peer, asked["prompts"], asked["max_tokens"])
        print(json.dumps(answer), file=out, flush=True)
    os._exit(0)  # engines with threads of their own take their time to end


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
